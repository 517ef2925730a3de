"""Programs that make the files which the package ships.

They are for the package's developers and are not part of the wheel. They import nothing
of ``keras_amp``, and it imports nothing of them: it ships only what they have written.
"""
