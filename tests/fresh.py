"""Runs programs in processes of their own, which have imported Keras and nothing else.

Each is a fork of one process, as importing Keras takes longer than most programs.
"""

import json
import os
import subprocess
import sys

SERVER = """
import json, os, sys, tempfile, traceback
import keras

for line in sys.stdin:
    program, arguments, folder, variables = json.loads(line)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        child = os.fork()
        if not child:
            os.dup2(out.fileno(), 1), os.dup2(errors.fileno(), 2)
            os.chdir(folder)
            os.environ.update(variables)
            sys.argv[1:] = arguments
            status = 1
            try:
                exec(program, {"__name__": "__main__"})
                status = 0
            except BaseException:
                traceback.print_exc()
            sys.stdout.flush(), sys.stderr.flush()
            os._exit(status)
        status = os.waitpid(child, 0)[1]
        out.seek(0), errors.seek(0)
        print(json.dumps([status, out.read(), errors.read()]), flush=True)
"""


class FreshProcesses:
    """The process that is forked; `PYTHONPATH` does not count there."""

    def __init__(self):
        self.server = subprocess.Popen(
            [sys.executable, "-W", "ignore:This process", "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        )

    def run(self, program, *arguments, folder, **variables):
        """Run a program in a folder; return what it prints to its standard output."""
        request = [program, list(map(str, arguments)), str(folder), variables]
        print(json.dumps(request), file=self.server.stdin, flush=True)
        status, out, errors = json.loads(self.server.stdout.readline())
        assert status == 0, errors
        return out

    def close(self):
        self.server.stdin.close()
        self.server.wait()
        self.server.stdout.close()
