"""Runs programs in processes of their own, which have imported Keras and nothing else.

Each is a fork of one process, as importing Keras takes longer than most programs. That
process is itself a fork of the one that tests, of when it had imported Keras only.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path


class FreshProcesses:
    """The process that is forked; `PYTHONPATH` does not count there."""

    def __init__(self):
        ours, theirs = socket.socketpair()
        self.server = fork()
        if not self.server:
            try:
                serve(theirs.fileno())
            finally:
                os._exit(0)
        theirs.close()
        self.pipe = ours.makefile("rw")
        ours.close()

    def run(self, program, *arguments, folder, status=0, **variables):
        """Run a program in a folder; return what it prints to its standard output.

        It has to end with a status, that of `os.waitpid`.
        """
        request = [program, list(map(str, arguments)), str(folder), variables]
        print(json.dumps(request), file=self.pipe, flush=True)
        ended, out, errors = json.loads(self.pipe.readline())
        assert ended == status, errors
        return out

    def close(self):
        self.pipe.close()
        os.waitpid(self.server, 0)


def serve(number):
    """Run the programs that are asked for at a file's number, until it is closed."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    for other in {*map(int, os.listdir("/dev/fd"))} - {0, 1, 2, number}:
        with contextlib.suppress(OSError):  # the listing's own is closed already
            os.close(other)
    sys.path[:] = search_path()
    with open(number, "r+b", buffering=0) as pipe:
        for line in pipe:
            pipe.write(json.dumps(answer(*json.loads(line))).encode() + b"\n")


def search_path():
    """Where a new process finds modules."""
    bare = {name: v for name, v in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", "import json, sys; print(json.dumps(sys.path))"]
    return json.loads(subprocess.check_output(command, env=bare))


def answer(program, arguments, folder, variables):
    """A program's exit status, and what it wrote."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        child = fork()
        if not child:
            os.dup2(out.fileno(), 1), os.dup2(errors.fileno(), 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            os.chdir(folder)
            os.environ.update(variables)
            sys.argv[:] = ["-c", *arguments]
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
        return status, out.read(), errors.read()


def fork():
    """Fork, though imports have started threads: the child uses none of them."""
    with warnings.catch_warnings(action="ignore"):
        return os.fork()


def children(pid):
    """The processes that a process has started, and theirs."""
    own = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [*map(int, own), *(p for child in own for p in children(int(child)))]
