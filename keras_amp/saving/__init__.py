"""Weights files and exported models, from which the classifier can be used alone.

It imports ``keras_amp.graph.keras_compat`` alone; models import it.
"""
