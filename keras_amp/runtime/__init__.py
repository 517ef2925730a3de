"""The process and its files: nothing here is about mixing.

``process`` and ``notes`` set up a process before TensorFlow is imported; ``extras`` says
how to install an optional dependency that is missing; ``files`` writes files completely
or not at all. It imports nothing of the package; all of the package may import it.
"""
