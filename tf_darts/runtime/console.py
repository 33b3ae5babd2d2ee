"""Lines for whoever looks on, who may be gone."""

import contextlib
import os
import sys
from typing import TextIO


def say(text: str, stream: TextIO | None = None) -> None:
    """Prints a line at once.

    Where nobody can read it any more (a closed connection, the end of a pipe), the run goes on: a
    run that is told to stop by its terminal's end still saves its state.

    Args:
      text: the line.
      stream: where to; standard output by default.
    """
    stream = stream or sys.stdout
    try:
        print(text, file=stream, flush=True)
    except OSError:
        # What is left in the stream would be written, and refused, again when Python ends.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def warn(text: str) -> None:
    """Says on standard error what went another way than expected, and what is done about it."""
    say(text, sys.stderr)
