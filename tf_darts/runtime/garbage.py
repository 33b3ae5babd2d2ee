"""Python's search for garbage, put off while much is made of which nothing is garbage.

Python looks through all objects whenever so many more were made. A supernet's layers and the graph
of its first step are millions, and it finds nothing: a tenth of the time.
"""

import contextlib
import gc
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_inside = 0  # how many, in all threads
_before = False  # whether it was on
_beginning: contextlib.ExitStack | None = None  # the run's, if one begins


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """Inside, in whatever thread, Python does not look for garbage."""
    global _inside, _before
    with _lock:
        if not _inside:
            _before = gc.isenabled()
            gc.disable()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside and _before:
                gc.enable()


@contextlib.contextmanager
def beginning() -> Iterator[None]:
    """Inside, the same until `begun` is called: from a run's beginning to its first step."""
    global _beginning
    before = _beginning
    with contextlib.ExitStack() as _beginning:
        _beginning.enter_context(without_collection())
        try:
            yield
        finally:
            _beginning = before


def begun() -> None:
    """The first step is done, or a later one: what comes now is garbage soon."""
    if _beginning is not None:
        _beginning.close()
