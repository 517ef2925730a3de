"""A training step: draw, mix, search the adversarial lambda, and train on the losses.

It imports ``keras_amp.graph`` and ``keras_amp.policies``; models and analysis import it.
"""
