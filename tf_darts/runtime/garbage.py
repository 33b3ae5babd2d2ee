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
