"""The process and its files: what is not about mixing.

``process`` and ``notes`` set up a process before TensorFlow is imported, ``extras`` names
the optional dependency that is missing, ``files`` writes files whole or not at all. It
imports nothing of the package, and everything else may import it.
"""
