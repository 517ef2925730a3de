"""What a training step needs of TensorFlow alone.

``compilation`` says what XLA compiles, ``side_effects`` finds what a pass changes or
draws that Keras does not know of; ``traced_graph`` and ``numpy_noise`` help it. It
imports ``keras_amp.graph``, ``keras_amp.policies`` and, of the rest of ``training``, only
what a ``Pass`` is; training, models and analysis import it.
"""
