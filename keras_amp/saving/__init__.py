"""Files of weights, and exported models: a mixing model hands on its classifier's.

It imports nothing of the package; models import it.
"""
