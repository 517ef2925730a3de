"""What only the replication of the paper needs.

``authors_program`` is what the authors' program does beyond the paper, to be compared
with it; ``counts`` has the figures of the paper's data sets. It imports
``keras_amp.policies`` and ``keras_amp.data``; experiments and the command line import it.
"""

from keras_amp.paper.authors_program import (
    AuthorsProgram,
    DoubleSoftmaxCrossentropy,
    SummedBinaryCrossentropy,
)

__all__ = ["AuthorsProgram", "DoubleSoftmaxCrossentropy", "SummedBinaryCrossentropy"]
