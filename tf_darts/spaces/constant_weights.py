"""Whether a loss's weights are constants while it is differentiated: who knows spares ∇_w."""

import contextlib
import threading
from collections.abc import Iterator

_here = threading.local()  # replicas are traced in threads


@contextlib.contextmanager
def constant_weights(constant: bool = True) -> Iterator[None]:
    """While it is open, no gradient by the weights is taken of what is computed."""
    before, _here.constant = are_constant(), constant
    try:
        yield
    finally:
        _here.constant = before


def are_constant() -> bool:
    """Whether this is inside of `constant_weights`."""
    return getattr(_here, "constant", False)
