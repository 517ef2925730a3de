"""Keras callbacks that show and steer the mixing."""

from keras_amp.callbacks.curve import LossAlongLambda
from keras_amp.callbacks.schedule import MixingSchedule
from keras_amp.callbacks.tensorboard import MixingTensorBoard

__all__ = ["LossAlongLambda", "MixingSchedule", "MixingTensorBoard"]
