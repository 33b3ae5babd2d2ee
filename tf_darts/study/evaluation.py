"""The candidates of a study: whose row is there is done, the others are evaluated."""

import pathlib
from collections.abc import Callable, Iterable

import tensorflow as tf

from tf_darts.errors import StateError, StorageError, UserError, told
from tf_darts.runtime.console import say
from tf_darts.study.candidates import Candidate
from tf_darts.study.train_candidate import Row, failure, load_row, matches_candidate, save_row

# What TensorFlow makes of the file system's refusals.
_FILE_ERRORS = (
    tf.errors.NotFoundError,
    tf.errors.AlreadyExistsError,
    tf.errors.PermissionDeniedError,
    tf.errors.FailedPreconditionError,
    tf.errors.UnavailableError,
    tf.errors.DataLossError,
    tf.errors.OutOfRangeError,  # a file that grew too large
)
_FULL_DISK = "No space left", "quota exceeded"


class Evaluation:
    """Evaluates candidates, each in its folder, and keeps their rows there.

    What is in the folders is the truth: a candidate whose `candidate.json` is there is done, and
    one whose file was removed is not.

    Args:
      folder: where the candidates' folders are.
      train_candidate: the row of a candidate, given its folder.
      before_candidate: is called before each candidate that is evaluated.
      check_data: raises `UserError` where the data of all candidates are not what they were when
        the study began; called where a candidate has failed.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        train_candidate: Callable[[Candidate, pathlib.Path], Row],
        before_candidate: Callable[[], None] = lambda: None,
        check_data: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder = folder
        self._train_candidate = train_candidate
        self._before_candidate = before_candidate
        self._check_data = check_data

    def recorded_row(self, candidate: Candidate) -> Row | None:
        """The row that is there; None where there is none yet.

        Raises:
          StateError: it cannot be read, or is another candidate's.
        """
        folder = self.folder / candidate.name
        row = load_row(folder)
        if row is not None and not matches_candidate(row, candidate):
            raise StateError(
                f"{folder}: holds the result of another candidate than the study proposes now;"
                " move this folder away, and the same command evaluates the candidate anew."
            )
        return row

    def missing(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Those that have no row yet, in their order; raises as `recorded_row` of any of them."""
        return [candidate for candidate in candidates if self.recorded_row(candidate) is None]

    def evaluate(self, candidate: Candidate) -> Row:
        """Makes the candidate's row and keeps it.

        A candidate that diverges, cannot be made of the data or needs more memory than there is
        has failed.

        Raises:
          StateError: files of its runs cannot be read, or the data not any more.
          StorageError: the file system refuses: it would refuse the next candidate too.
        """
        self._before_candidate()
        folder = self.folder / candidate.name
        try:
            if candidate.refused:
                raise UserError(candidate.refused)
            row = self._train_candidate(candidate, folder)
        except (StateError, StorageError):
            raise
        except UserError as error:
            if not candidate.refused:
                self._refuse_lost_data()
            row = failure(candidate, str(error))
        except tf.errors.ResourceExhaustedError as error:
            if any(words in str(error) for words in _FULL_DISK):
                raise _refusal(folder, error) from error
            row = failure(candidate, f"needs more memory than there is ({told(error)}).")
        except (OSError, *_FILE_ERRORS) as error:
            raise _refusal(folder, error) from error
        save_row(folder, row)
        if row["status"] == "completed":
            say(f"[{candidate.name}] score {row['score']:.2f}")
        else:
            say(f"[{candidate.name}] failed: {row['reason']}")
        return row

    def _refuse_lost_data(self) -> None:
        """Raises `StateError` where the data are what failed: they would fail all others too."""
        try:
            self._check_data()
        except UserError as error:
            raise StateError(
                f"{str(error).rstrip('.')}. The study stops here: once that is mended, the same"
                " command goes on."
            ) from error


def _refusal(folder: pathlib.Path, error: Exception) -> StorageError:
    """What the system refused, as a sentence."""
    path = getattr(error, "filename", None) or folder
    reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
    return StorageError(
        f"{path}: cannot be read or written ({reason}); make room or give rights there, and the"
        " same command goes on."
    )
