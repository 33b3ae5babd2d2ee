"""Says what takes long while it takes long: what is quick is not worth a line."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from tf_darts.runtime.console import say

PATIENCE = 2.0  # seconds before it is said what is being done
INTERVAL = 10.0  # seconds between two lines that say that it is still being done


@contextlib.contextmanager
def busy(
    doing: str, pieces: int = 0, write: Callable[[str], None] = say
) -> Iterator[Callable[[], None]]:
    """Says `doing` where it takes more than `PATIENCE`, and at its end how long it took.

    Args:
      doing: as "Compiling the gradient by the weights".
      pieces: how many equal ones it consists of, so that the time left is known; 0 where it is not.
      write: takes a line.

    Yields:
      What is called whenever a piece is done.
    """
    over, done = threading.Event(), 0
    start = time.monotonic()

    def piece_done() -> None:
        nonlocal done
        done += 1

    def tell() -> None:
        if over.wait(PATIENCE):
            return
        write(f"{doing} …")
        while not over.wait(INTERVAL):
            write(f"{doing}: {_so_far(time.monotonic() - start, done, pieces)} …")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield piece_done
    finally:
        over.set()
        teller.join()
    seconds = time.monotonic() - start
    if seconds >= PATIENCE:
        write(f"{doing}: {seconds:.0f} s.")


def _so_far(seconds: float, done: int, pieces: int) -> str:
    """As "20 s so far", and where the pieces are counted how many are done and the time left."""
    text = f"{seconds:.0f} s so far"
    if not pieces or not done:
        return text
    left = seconds / done * (pieces - done)
    written = f"{left:.0f} s" if left < 100 else f"{left / 60:.0f} minutes"
    return f"{done} of {pieces} in {text}, {written} left"
