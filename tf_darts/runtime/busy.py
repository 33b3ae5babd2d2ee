"""Says what takes long while it takes long: what is quick is not worth a line."""

import contextlib
import threading
import time
from collections.abc import Iterator

from tf_darts.runtime.console import say

PATIENCE = 2.0  # seconds before it is said what is being done
INTERVAL = 10.0  # seconds between two lines that say that it is still being done


@contextlib.contextmanager
def busy(doing: str) -> Iterator[None]:
    """Says `doing` where it takes more than `PATIENCE`, and at its end how long it took.

    Args:
      doing: as "Compiling the gradient by the weights".
    """
    done = threading.Event()
    start = time.monotonic()

    def tell() -> None:
        patience, text = PATIENCE, f"{doing} …"
        while not done.wait(patience):
            say(text)
            passed = time.monotonic() - start + INTERVAL
            patience, text = INTERVAL, f"{doing}: {passed:.0f} s so far …"

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
    seconds = time.monotonic() - start
    if seconds >= PATIENCE:
        say(f"{doing}: {seconds:.0f} s.")
