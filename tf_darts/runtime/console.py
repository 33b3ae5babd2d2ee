"""Lines for whoever looks on, who may be gone."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO

_told: set[str] | None = None  # what `tell` has said inside `telling_once`


def say(text: str, stream: TextIO | None = None) -> None:
    """Prints a line at once.

    Where nobody can read it any more (a closed connection, the end of a pipe), the run goes on: a
    run that is told to stop by its terminal's end still saves its state. Characters that the
    stream's encoding has not are written by their numbers.

    Args:
      text: the line.
      stream: where to; standard output by default.
    """
    stream = stream or sys.stdout
    try:
        print(text, file=stream, flush=True)
    except UnicodeEncodeError:  # standard error writes such characters in this way by itself
        say(text.encode(stream.encoding, "backslashreplace").decode(stream.encoding), stream)
    except OSError:
        # What is left in the stream would be written, and refused, again when Python ends.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def tell(text: str) -> None:
    """Says a fact that may come again, see `telling_once`."""
    if _told is None:
        say(text)
    elif text not in _told:
        _told.add(text)
        say(text)


@contextlib.contextmanager
def telling_once() -> Iterator[None]:
    """Inside, `tell` says each line once: the runs of a study read the same data."""
    global _told
    before, _told = _told, set() if _told is None else _told
    try:
        yield
    finally:
        _told = before


def warn(text: str) -> None:
    """Says on standard error what went another way than expected, and what is done about it."""
    say(text, sys.stderr)
