"""Pretrained word vectors for the words of a vocabulary.

``loading`` has the public ``load_vectors`` and its result, ``Vectors``. It finds or
downloads the file (``files``), reads from it the vectors of the vocabulary's words
(``reading``) and keeps them for the next time (``cache``). It imports ``keras_amp.data``
alone; ``keras_amp.data`` imports it and exports the two names.
"""

from keras_amp.data.vectors.loading import Vectors, load_vectors

__all__ = ["Vectors", "load_vectors"]
