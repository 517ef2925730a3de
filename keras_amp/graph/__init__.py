"""Functional models as graphs: where to mix, and what lies below and above.

``lookup`` finds the layer that a name denotes, ``insertion`` puts a ``MixLayer`` behind
it, ``cuts`` and ``split`` cut the model there; ``masks`` says what the masks mean that
reach what lies above, ``affine`` and ``lstm`` where the same can be computed faster. It
imports layers and policies; training, models and analysis import it.
"""
