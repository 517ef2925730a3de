"""``python -m keras_amp``: the same as the command ``keras-amp``."""

from keras_amp.cli import main

if __name__ == "__main__":
    main()
