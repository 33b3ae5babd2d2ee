"""Warnings in place of errors where a picture or an event file cannot be written."""

import contextlib
import pathlib
import sys
from collections.abc import Iterator

import tensorflow as tf

from tf_darts.errors import StateError, StorageError, UserError


class WriteWarnings:
    """Prints a warning where the system refuses to write, once for each folder and reason.

    Args:
      activity: what goes on without the file, such as "search".
    """

    def __init__(self, activity: str) -> None:
        self._activity = activity
        self._reported: set[tuple[pathlib.Path, str]] = set()

    @contextlib.contextmanager
    def writing(self, path: pathlib.Path) -> Iterator[None]:
        """While it is open, the system may refuse to write `path`."""
        try:
            yield
        except (OSError, StateError, StorageError, tf.errors.OpError) as error:
            cause = path.parent, _reason(error)
            if cause not in self._reported:
                self._reported.add(cause)
                print(
                    f"warning: {path} cannot be written ({cause[1]}); the {self._activity} goes on",
                    file=sys.stderr,
                    flush=True,
                )


def _reason(error: Exception) -> str:
    """What the system said, in a few words."""
    if isinstance(error, UserError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, tf.errors.OpError):  # "PATH; No space left on device"
        return (error.message or type(error).__name__).splitlines()[0].rsplit("; ", 1)[-1]
    return getattr(error, "strerror", None) or str(error)
