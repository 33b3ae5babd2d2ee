"""Stopping when asked to, at a moment of the program's own choosing."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

# kill, Ctrl-C, and a terminal or ssh connection that is closed.
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopRequest:
    """Whether SIGTERM, SIGHUP or Ctrl-C came, and which.

    Attributes:
      signal_number: the signal, or None while none came.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None

    def __bool__(self) -> bool:
        return self.signal_number is not None

    def receive(self, number: int, frame: FrameType | None) -> None:
        """The handler: remembers the first signal, a second Ctrl-C interrupts at once."""
        del frame
        if self and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self:
            self.signal_number = number


class Stopped(Exception):
    """The run was asked to stop, has saved its state, and can be resumed."""

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.signal_number = signal_number


@contextlib.contextmanager
def graceful_stop() -> Iterator[StopRequest]:
    """While it is open, SIGTERM, SIGHUP and SIGINT only set the `StopRequest`.

    A SIGHUP that is ignored stays so: that is what `nohup` is for.
    """
    request = StopRequest()
    numbers = set(_SIGNALS)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        numbers.remove(signal.SIGHUP)
    before = {number: signal.signal(number, request.receive) for number in numbers}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
