"""Keras callbacks that show and steer the mixing.

``tensorboard``, ``curve``, ``projector`` and ``hparams`` write what TensorBoard shows;
``schedule`` changes the step size over the training. It imports analysis and training;
experiments import it.
"""

from keras_amp.callbacks.curve import LossAlongLambda
from keras_amp.callbacks.schedule import MixingSchedule
from keras_amp.callbacks.tensorboard import MixingTensorBoard

__all__ = ["LossAlongLambda", "MixingSchedule", "MixingTensorBoard"]
