"""What a training step needs of TensorFlow alone.

``backend`` is what the step itself calls. ``compilation`` says what XLA compiles, and
``compiled_model`` has a Keras model do so; ``side_effects`` finds what a pass changes or
draws that Keras does not know of; ``traced_graph`` and ``numpy_noise`` help it. It
imports ``keras_amp.graph``, ``keras_amp.policies`` and, of the rest of ``training``, what
a ``Pass`` and a ``TrainingStep`` are and the check of ids; training, models and analysis
import it.
"""
