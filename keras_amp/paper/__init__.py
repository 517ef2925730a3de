"""What only the replication of the paper needs.

``authors_program`` is what the authors' program does beyond the paper, to be compared
with it; ``counts`` has the figures of the paper's data sets; ``published_tables`` has its
results, which stand in the folder ``published``. It imports ``keras_amp.policies`` and
``keras_amp.data``; experiments and the command line import it.
"""

from keras_amp.paper.authors_program import (
    AuthorsProgram,
    DoubleSoftmaxCrossentropy,
    SummedBinaryCrossentropy,
)
from keras_amp.paper.published_tables import Reported, paper_table, reported

__all__ = [
    "AuthorsProgram",
    "DoubleSoftmaxCrossentropy",
    "Reported",
    "SummedBinaryCrossentropy",
    "paper_table",
    "reported",
]
