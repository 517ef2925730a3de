"""Keras callbacks that show and steer the mixing."""

from keras_amp.callbacks.schedule import MixingSchedule
from keras_amp.callbacks.tensorboard import MixingTensorBoard

__all__ = ["MixingSchedule", "MixingTensorBoard"]
