"""What a training step needs of TensorFlow alone.

``compilation`` says what XLA compiles, ``side_effects`` finds what a pass changes or
draws that Keras does not know of; ``traced_graph`` and ``numpy_noise`` help it. It
imports nothing of the package outside of this folder; training, models and analysis
import it.
"""
