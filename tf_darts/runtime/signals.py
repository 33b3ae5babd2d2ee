"""Stopping when asked to, at a moment of the program's own choosing."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from tf_darts.runtime.start_up import write_line

# kill, Ctrl-C, and a terminal or ssh connection that is closed.
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SOON = "Stopping as soon as this is compiled; Ctrl-C again stops at once."
_ANSWER = "Stopping as soon as the state can be saved; Ctrl-C again stops at once."


class Stopped(Exception):
    """The run was asked to stop, has saved its state, and can be resumed."""

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.signal_number = signal_number


class StopRequest:
    """Whether SIGTERM, SIGHUP or Ctrl-C came, and which.

    Attributes:
      signal_number: the signal, or None while none came.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._message: str | None = None  # of `Stopped`, where nothing is to be saved

    def __bool__(self) -> bool:
        return self.signal_number is not None

    def receive(self, number: int, frame: FrameType | None) -> None:
        """The handler: remembers the first signal, a second Ctrl-C interrupts at once."""
        del frame
        if self and number == signal.SIGINT:
            raise KeyboardInterrupt
        if self:
            return
        self.signal_number = number
        with contextlib.suppress(OSError):  # nobody may be there to read it
            write_line(_ANSWER if self._message is None else _SOON)

    @contextlib.contextmanager
    def nothing_to_save(self, message: str) -> Iterator[None]:
        """Inside, `stop_here` ends the run where a signal has come.

        Raises:
          Stopped: with this message; one had come before.
        """
        global _request
        before, _request, self._message = _request, self, message
        try:
            stop_here()
            yield
        finally:
            _request, self._message = before, None


_request: StopRequest | None = None  # of a run that has nothing to save


def stop_here() -> None:
    """Raises `Stopped` where a run was asked to stop that has nothing to save.

    The handler itself raises nothing: TensorFlow, which calls Python while it traces, would crash.
    """
    if _request:
        raise Stopped(_request.signal_number, _request._message)


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
