"""Which workers have come to a sum and which have not, so that nobody waits for ever.

TensorFlow notices a worker that no longer lives. One that lives and does not come to the next sum,
because its file system hangs or a callback waits for an answer, would keep the others there without
a word.
"""

import contextlib
import pathlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.runtime.files import make_directory, write_atomically
from tf_darts.runtime.workers import in_words

_LOOKS = 20  # in the time that a worker waits


class Attendance:
    """Counts the sums that this worker comes to, and gives up a sum that another never comes to.

    All workers come to the same sums in the same order, so who has counted fewer is missing. One
    that is only slow inside a sum has come to it.

    Args:
      addresses: HOST:PORT of each worker.
      index: of this one among them.
      seconds: how long it waits for another.
      give_up: makes the sum that waits raise an error; called in another thread.

    Attributes:
      missing: the sentence that says who did not come, or "".
    """

    def __init__(
        self,
        addresses: Sequence[str],
        index: int,
        seconds: float,
        give_up: Callable[[], None] | None = None,
    ) -> None:
        self.missing = ""
        self._addresses, self._index, self._seconds = addresses, index, seconds
        self._give_up = give_up or _abort_sums
        self._directory: pathlib.Path | None = None
        self._count = 0
        self._told = -1
        self._since: float | None = None  # when the sum that it is in began
        threading.Thread(target=self._watch, name="attendance", daemon=True).start()

    @contextlib.contextmanager
    def at_sum(self) -> Iterator[None]:
        """Inside, this worker is at its next sum."""
        self._count += 1
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def tell(self, directory: pathlib.Path) -> None:
        """From now on the workers tell one another their counts by files in a directory of all.

        Before, and where a count cannot be read, all others count as missing.

        Args:
          directory: that all workers see; what another run left there is overwritten.

        Raises:
          StorageError: the count cannot be written.
        """
        make_directory(directory)
        self._directory = directory
        self._write_count()

    def _write_count(self) -> None:
        if self._directory is not None and self._told != self._count:
            count = self._count
            write_atomically(self._directory / str(self._index), str(count))
            self._told = count

    def _watch(self) -> None:
        while not self.missing:
            time.sleep(self._seconds / _LOOKS)
            with contextlib.suppress(UserError):  # the run itself will say that its disk is full
                self._write_count()
            since, count = self._since, self._count
            if since is None or time.monotonic() - since < self._seconds:
                continue
            late = [i for i in range(len(self._addresses)) if i != self._index]
            late = [i for i in late if self._count_of(i) < count]
            if late and self._count == count and self._since is not None:
                self.missing = (
                    f"{in_words(self._addresses, late)} did not come to where the other workers"
                    f" wait, for {self._seconds:g} seconds, and did not end either; see what"
                    " happens there, stop all workers, and start them again with the same commands:"
                    " the run goes on from its last checkpoint (--worker_timeout=N waits longer)."
                )
                self._give_up()

    def _count_of(self, worker: int) -> int:
        """How many sums another worker has come to, as far as is known."""
        try:
            return int((self._directory / str(worker)).read_text()) if self._directory else -1
        except (OSError, ValueError):
            return -1


def _abort_sums() -> None:
    # There is no public way out of a sum that waits.
    from tensorflow.python.eager import context

    context.context().abort_collective_ops(tf.errors.ABORTED, "a worker did not come to a sum")
