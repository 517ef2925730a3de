"""``python -m tools.questions FOLDER``: write the files of ``questions``."""

import sys

from tools.questions import grammar

if len(sys.argv) != 2:
    sys.exit("usage: python -m tools.questions FOLDER")
grammar.write(sys.argv[1])
