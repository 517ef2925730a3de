"""Text classifiers of the paper, each a functional model with two named mix points.

``cnn``, ``bilstm_attention`` and ``bert`` build the classifiers from what ``embedding``,
``attention`` and ``seeding`` share; ``mix_points`` names the layers after which they mix.
It imports ``keras_amp.data`` and nothing of the engine; analysis, experiments and the
command line import it.
"""

from keras_amp.backbones.attention import AttentionPooling
from keras_amp.backbones.bert import BertPreprocessor, bert
from keras_amp.backbones.bilstm_attention import bilstm_attention
from keras_amp.backbones.cnn import text_cnn
from keras_amp.backbones.mix_points import MIX_POINTS, mix_point

__all__ = [
    "MIX_POINTS",
    "AttentionPooling",
    "BertPreprocessor",
    "bert",
    "bilstm_attention",
    "mix_point",
    "text_cnn",
]
