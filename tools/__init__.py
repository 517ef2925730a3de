"""Programs of the package's developers, which are no part of the wheel.

They make the files which the package ships, and try what is released. They import nothing
of ``keras_amp``, and it imports nothing of them: it ships only what they have written.
"""
