"""The arguments of backbones, of the authors' program and of other methods.

Those of a backbone are what its function in ``keras_amp.backbones`` takes, less what the
data decide (sizes, vectors) and the seed; the defaults are theirs, which are the paper's.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Literal

from pydantic import Field

from keras_amp.experiments.checked import Count, NotNegative, Positive, checked
from keras_amp.experiments.relatives import with_own_arguments

Rate = Annotated[float, Field(ge=0, lt=1), "to be a number in [0, 1)"]
# A list in a configuration or in Python, several words on a command line.
Widths = Annotated[tuple[Count, ...], Field(strict=False), "to be integers >= 1"]


class Arguments(Mapping):
    """A data class that is a mapping, too, to be passed on by ``**``.

    Example:
    >>> from keras_amp.experiments.arguments import Bert
    >>> dict(Bert(dropout=0.2))
    {'preset': 'bert_base_en_uncased', 'dropout': 0.2}
    """

    def __getitem__(self, name):
        if name not in list(self):
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self):
        return (field.name for field in fields(self))

    def __len__(self):
        return len(fields(self))


@checked
class TextCNN(Arguments):
    """Arguments of ``keras_amp.backbones.text_cnn``.

    Attributes:
        embedding_dim: Integer, width of a word's vector.
        filters: Integer, feature maps of each width; 3 widths of 100 are the paper's 300
            features of a sentence.
        kernel_sizes: Widths of the filters, in words.
        dropout: Float in [0, 1), on the sentence.
        l2: Float >= 0, weight of the L2 penalty on the convolutions and the classifier.
        convolution_gain: Float > 0, the gain of Xavier's (Glorot's) normal distribution,
            from which the kernels of the convolutions are then drawn (the authors'
            program: 2). None for Keras' own initial values.
        trainable_vectors: Whether the words' vectors are trained.
    """

    embedding_dim: Count = 300
    filters: Count = 100
    kernel_sizes: Widths = (3, 4, 5)
    dropout: Rate = 0.5
    l2: NotNegative = 1e-8
    convolution_gain: Positive | None = None
    trainable_vectors: bool = True


@checked
class BiLSTMAttention(Arguments):
    """Arguments of ``keras_amp.backbones.bilstm_attention``.

    Attributes:
        embedding_dim: Integer, width of a word's vector.
        units: Integer, width of the state in each direction; two of 512 are the paper's
            hidden size of 1,024.
        num_layers: Integer >= 1, LSTM layers on top of each other.
        dropout: Float in [0, 1), on the sentence.
        l2: Float >= 0, weight of the L2 penalty on the LSTM and the classifier.
        trainable_vectors: Whether the words' vectors are trained.
        use_cudnn: Whether the LSTM is computed by cuDNN; "auto" uses it where there is a
            GPU, and then XLA cannot compile the step.
    """

    embedding_dim: Count = 300
    units: Count = 512
    num_layers: Count = 1
    dropout: Rate = 0.5
    l2: NotNegative = 1e-8
    trainable_vectors: bool = True
    use_cudnn: bool | Literal["auto"] = False


@checked
class Bert(Arguments):
    """Arguments of ``keras_amp.backbones.bert``.

    Attributes:
        preset: Name of a KerasHub preset, a Kaggle or Hugging Face handle
            ("hf://..."), a folder of a preset, or a folder in Hugging Face's format.
        dropout: Float in [0, 1), on the sentence; the encoder's own dropout is that of
            its preset.
    """

    preset: str = "bert_base_en_uncased"
    dropout: Rate = 0.1


@checked
class Program(Arguments):
    """What ``keras_amp.paper.AuthorsProgram`` takes beyond ``AdversarialMixing``.

    Attributes:
        window: Integer >= 1, the steps by whose loss gaps the larger losses are
            reweighted.
        reweigh: Whether the larger losses are reweighted.
        reading: "published": as in the program. "earlier": as in earlier versions of this
            package, the steps before the present one and the population's deviation.
    """

    window: Count = 5
    reweigh: bool = True
    reading: Literal["published", "earlier"] = "published"


@checked
@with_own_arguments
class Relatives(Arguments):
    """What the policies beside the paper's take, read off their classes.

    What they share with ``AdversarialMixing`` comes from there.

    Attributes:
        radius: Float >= 0, the norm of the step on the hidden state (adversarial, vat,
            random).
        norm: "l2" or "linf", what the radius measures.
        weight: Float >= 0, of what is added to the loss (adversarial, vat, random,
            regmixup, rdrop).
        mixup: Whether adversarial, vat and random step away from mixtures, which are
            those of mixup.
        regmixup_alpha: Float > 0, the coefficients of regmixup follow
            Beta(regmixup_alpha, regmixup_alpha).
    """


ARGUMENTS = {"cnn": TextCNN, "bilstm": BiLSTMAttention, "bert": Bert}
