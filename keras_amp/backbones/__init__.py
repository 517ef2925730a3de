"""Text classifiers of the paper, each a functional model with two named mix points."""

from keras_amp.backbones.cnn import text_cnn

# Where each backbone mixes words and sentences: names of its layers.
MIX_POINTS = {"word": "embedding", "sentence": "sentence"}

__all__ = ["MIX_POINTS", "text_cnn"]
