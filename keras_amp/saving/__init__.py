"""Files of weights, and exported models: a mixing model hands on its classifier's.

It imports ``keras_amp.graph.keras_compat`` alone; models import it.
"""
