"""What the authors' program does beyond the paper, to be compared with it."""

from keras_amp.experimental.program import (
    AuthorsProgram,
    DoubleSoftmaxCrossentropy,
    SummedBinaryCrossentropy,
)

__all__ = ["AuthorsProgram", "DoubleSoftmaxCrossentropy", "SummedBinaryCrossentropy"]
