"""The process and its files: nothing here is about mixing.

``process`` and ``notes`` set up a process before TensorFlow is imported; ``extras`` says
how to install an optional dependency that is missing; ``files`` writes files completely
or not at all; ``former_modules`` has modules that have moved imported by their former
names. It imports nothing of the package; all of the package may import it.
"""
