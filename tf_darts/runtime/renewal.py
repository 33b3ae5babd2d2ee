"""A program that begins anew, in the same process, so that its memory stays flat.

TensorFlow never gives back all of a search: what XLA's kernels instantiate stays, a few megabytes
all over the heap, which holds 35 MB of it. A study of many searches would grow by that with each.
Everything it has done is in its directory, so the same command goes on; and the system replaces a
process's program without a new process: number, terminal and limits are the same.
"""

import os
import sys
import time

from tf_darts.runtime.console import say
from tf_darts.runtime.memory.estimate import resident

_GROWTH = 50_000_000  # bytes, from which on it begins anew
_WORTH = 10  # times as much has been computed since as beginning takes


class Renewal:
    """Begins the program anew where it has grown, and where that costs little.

    It never does in a process that was not started with this program's arguments, as where another
    program has called it.
    """

    def __init__(self) -> None:
        arguments = sys.argv[1:]
        self._own = bool(arguments) and sys.orig_argv[-len(arguments) :] == arguments
        self._beginning: float | None = None  # seconds of processor time until the first call
        self._size: int | None = None  # after the first piece of work

    def before_work(self) -> None:
        """Called before each piece of work that the same command would go on with.

        Where it begins anew it does not return. What is open is closed by the system; so a lock is
        given back, and a file that is being written is lost: there must be none.
        """
        if not self._own:
            return
        if self._beginning is None:
            self._beginning = time.process_time()
            return
        size = resident()
        if self._size is None:
            self._size = size
            return
        computed = time.process_time() - self._beginning
        if size - self._size < _GROWTH or computed < _WORTH * self._beginning:
            return
        say(
            f"The program begins anew and goes on: it has grown by {(size - self._size) / 1e6:.0f}"
            " MB since its first candidate, which TensorFlow does not give back."
        )
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
