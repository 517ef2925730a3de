"""What a training step needs of JAX alone.

``backend`` is what the step itself calls, and ``model`` has Keras' trainer for JAX call
the step. A step there is a pure function: all that it changes stands in the
``keras.StatelessScope`` that it runs in. It imports ``keras_amp.graph`` and
``keras_amp.policies``; training, models and analysis import it through
``training.backend``.
"""
