"""A run directory: the whole state of a run, for one configuration and one process at a time."""

import contextlib
import fcntl
import json
import pathlib
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, TextIO, TypeVar

from tf_darts import __version__
from tf_darts.errors import StateError
from tf_darts.runtime import files
from tf_darts.runtime.extension import Extendable, check_settings
from tf_darts.runtime.renamed_settings import rename_settings
from tf_darts.runtime.run_records import HISTORY, RESULT, read_history, read_result

_RESTORE = "restore it from a copy, or give another --run_dir"
_GLANCE = 0.5  # seconds in which a process that only looks at a run is gone again
_FILES = {".json", ".jsonl", ".txt"}  # endings of a run's own files

# What a kill has left of a file that was being written, by this and by older versions.
_PARTIAL_FILE = re.compile(rf"\..+({re.escape(files.PARTIAL)}|\.(jsonl?|txt)\.[a-z0-9_]{{8}})")

_Answer = TypeVar("_Answer")
NOTHING = Extendable()


class RunDirectory:
    """Opens a new run, or the one that was begun here with the same settings.

    Attributes:
      path: the directory.
      settings: what decides the run's results, as JSON types.
      resumed: whether a run was here already.
    """

    _lock: BinaryIO | TextIO | None

    def __init__(
        self,
        path: str | pathlib.Path,
        settings: dict[str, Any],
        extendable: Extendable = NOTHING,
        legacy: Mapping[str, Any] | None = None,
        about: Mapping[str, str] | None = None,
    ) -> None:
        """Makes or opens the directory and holds it until the process ends.

        Args:
          path: the directory; it is made where it is missing.
          settings: what decides the run's results, as JSON types.
          extendable: settings with which the run may go on where they have grown.
          legacy: settings that older versions did not have, with the values by which their runs
            went.
          about: what `config.json` says of a new run beside its settings (`config/recorded.py`).

        Raises:
          StateError: the directory is another configuration's, is no run directory, cannot be
            written, or is in use; or the run cannot be extended.
        """
        self.path = pathlib.Path(path).expanduser()
        self.settings = settings
        self._legacy = legacy or {}
        self._hold(lambda: self._claim(extendable, about or {}))

    @classmethod
    def open(cls, path: str | pathlib.Path) -> "tuple[RunDirectory, dict[str, Any]]":
        """Opens the run that is in a directory, and holds it until the process ends.

        Returns:
          The directory and the settings of its run.

        Raises:
          StateError: there is no run, or it cannot be read, or it is in use.
        """
        run = cls._open_existing(path)
        run._hold(lambda: True)
        run.settings = run._locked(fcntl.LOCK_EX, run._settings)
        return run, run.settings

    @classmethod
    def read(cls, path: str | pathlib.Path) -> "tuple[RunDirectory, dict[str, Any]]":
        """Opens the run that is in a directory for reading: nothing is written there.

        Nobody else can go on with the run until it is closed, where the file system has locks.

        Returns:
          The directory and the settings of its run.

        Raises:
          StateError: there is no run, or it cannot be read, or another process is at it.
        """
        run = cls._open_existing(path)
        # Where there is no such file, or none that can be locked, nobody is running who could be
        # noticed: a copy, or a disk that is only read.
        run._lock = None
        with contextlib.suppress(OSError):
            run._lock = (run.path / ".lock").open("rb")
        run.settings = run._locked(fcntl.LOCK_SH, run._settings, needed=False)
        return run, run.settings

    @classmethod
    def join(
        cls,
        path: str | pathlib.Path,
        settings: dict[str, Any],
        legacy: Mapping[str, Any] | None = None,
    ) -> pathlib.Path:
        """The directory of a run that another process holds and lets this one work on.

        Arguments are as of the class.

        Raises:
          StateError: there is no run, or one of another configuration.
        """
        run = cls._open_existing(path, "give the chief's, which all its workers must see")
        run._legacy = legacy or {}
        run._compare(settings)
        return run.path

    @classmethod
    def check_begun(cls, path: str | pathlib.Path) -> None:
        """Raises `StateError` where no run was begun."""
        cls._open_existing(path)

    @classmethod
    def _open_existing(
        cls, path: str | pathlib.Path, advice: str = "give another one"
    ) -> "RunDirectory":
        """A run that was begun, not held yet; raises `StateError` where there is none."""
        run = cls.__new__(cls)
        run.path = pathlib.Path(path).expanduser()
        if not files.exists(run.path / "config.json"):
            raise StateError(f"--run_dir={run.path}: has no run in it (no config.json); {advice}.")
        run.resumed = True
        return run

    @property
    def checkpoints(self) -> pathlib.Path:
        """Where the run's checkpoints are."""
        return self.path / "checkpoints"

    def file(self, name: str) -> pathlib.Path:
        """Where a file of the run is read, whoever has written it."""
        return self.path / name

    def _hold(self, claim: Callable[[], bool]) -> None:
        """Locks the directory, and sets `resumed` by `claim`."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise StateError(
                f"--run_dir={self.path}: cannot be written ({error.strerror}); give another one."
            ) from error
        self.resumed = self._locked(fcntl.LOCK_EX, claim)

    def _locked(self, kind: int, then: Callable[[], _Answer], *, needed: bool = True) -> _Answer:
        """What `then` gives while the lock is held, which stays so unless something is raised."""
        try:
            if self._lock is not None:
                self._take(kind, needed)
            return then()
        except BaseException:
            self.close()
            raise

    def _take(self, kind: int, needed: bool) -> None:
        """Locks the file; raises `StateError` where another process keeps it.

        So it does where the file system has no locks, if one is needed.
        """
        deadline = time.monotonic() + _GLANCE
        while True:
            try:
                fcntl.flock(self._lock, kind | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise StateError(
                        f"--run_dir={self.path}: another process is running there; wait for it or"
                        " give another directory."
                    ) from error
                time.sleep(_GLANCE / 10)
            except OSError as error:
                if not needed:
                    return
                raise StateError(
                    f"--run_dir={self.path}: cannot be locked ({error.strerror or error}), so that"
                    " two processes could write there; give a directory on a disk that has locks."
                ) from error

    def _claim(self, extendable: Extendable, about: Mapping[str, str]) -> bool:
        """Writes `config.json`, or compares with the one that is there."""
        self._remove_partial_files()
        for entry in files.entries(self.path):
            if entry.suffix in _FILES:
                files.check_kind(entry, directory=False)
        if not files.exists(self.path / "config.json"):
            check_empty(self.path)
            document = {"tf_darts": __version__, **about, "settings": self.settings}
            self.write_json("config.json", document)
            return False
        if self._compare(self.settings, extendable):
            self._extend(self.settings)
        return True

    def _remove_partial_files(self) -> None:
        """Removes what a kill has left of files that were being written."""
        for folder in (self.path, self.path / "plots"):
            entries = files.entries(folder) if files.is_directory(folder) else []
            for file in entries:
                if _PARTIAL_FILE.fullmatch(file.name) and files.is_file(file):
                    with files.writing(file):
                        file.unlink()

    def _compare(self, settings: Mapping[str, Any], extendable: Extendable = NOTHING) -> bool:
        """See `check_settings`."""
        missing = {name: value for name, value in self._legacy.items() if name in settings}
        return check_settings(self.path, missing | self._settings(), settings, extendable)

    def _extend(self, settings: Mapping[str, Any]) -> None:
        """Lets the run go on with settings that have grown; it has not finished any more.

        Raises:
          StateError: its test was taken, which counts for the run as it was.
        """
        if files.exists(self.path / "test.json"):
            raise StateError(
                f"--run_dir={self.path}: the test of this training was taken already (test.json),"
                " and a training that goes on would have another; give another directory."
            )
        with files.writing(self.path / RESULT):
            (self.path / RESULT).unlink(missing_ok=True)
        document = files.read_json(self.path / "config.json") | {"settings": settings}
        self.write_json("config.json", document)

    @property
    def about(self) -> dict[str, Any]:
        """What `config.json` says beside the settings; runs of commit 517e77a say nothing there."""
        document = files.read_json(self.path / "config.json", _RESTORE)
        return {name: value for name, value in document.items() if name != "settings"}

    def close(self) -> None:
        """Lets another process have the directory."""
        if self._lock is not None:
            self._lock.close()

    def _settings(self) -> dict[str, Any]:
        """The settings in `config.json`."""
        file = self.path / "config.json"
        settings = files.read_json(file, _RESTORE).get("settings")
        if not isinstance(settings, dict):
            raise StateError(f"{file}: holds no settings of a run; {_RESTORE}.")
        return rename_settings(settings)

    def write_json(self, name: str, document: Any) -> None:
        """Writes a JSON file of the run atomically."""
        files.write_atomically(self.path / name, json.dumps(document, indent=2) + "\n")

    def read_history(self) -> list[dict[str, Any]]:
        """The records of `history.jsonl`, oldest first.

        Raises:
          StateError: it is broken, or its records are not those of the epochs 1, 2, ….
        """
        return read_history(self.path)

    def write_history(self, records: list[dict[str, Any]]) -> None:
        """Replaces `history.jsonl`, one record a line."""
        lines = "".join(json.dumps(record) + "\n" for record in records)
        files.write_atomically(self.path / HISTORY, lines)

    def read_result(self) -> dict[str, Any] | None:
        """What `result.json` holds; None where the run has not finished.

        Raises:
          StateError: it is broken.
        """
        return read_result(self.path)

    def forget_result(self) -> None:
        """Removes `result.json`: the run goes on."""
        with files.writing(self.path / RESULT):
            (self.path / RESULT).unlink(missing_ok=True)


def check_empty(path: pathlib.Path) -> None:
    """Raises `StateError` where a directory without a run holds something else.

    A run that was killed before its `config.json` was whole may have left that half-written.
    """
    if any(entry.name != ".lock" and not _is_begun(entry) for entry in files.entries(path)):
        raise StateError(
            f"--run_dir={path}: holds files but no run (no config.json); give an empty or a new"
            " directory."
        )


def _is_begun(entry: pathlib.Path) -> bool:
    """Whether it is a half-written `config.json`."""
    partial = _PARTIAL_FILE.fullmatch(entry.name) and entry.name.startswith(".config.json.")
    return bool(partial) and files.is_file(entry)


class FollowedRun(RunDirectory):
    """The chief's run as its other workers see it: they read there, and write into a scratch.

    Attributes:
      path: the scratch directory, gone when the run is closed.
    """

    def __init__(
        self,
        path: str | pathlib.Path,
        settings: dict[str, Any],
        legacy: Mapping[str, Any] | None = None,
    ) -> None:
        """Opens a run that another process holds; raises as `RunDirectory.join`."""
        self._chief = RunDirectory.join(path, settings, legacy)
        self.settings = settings
        self._scratch = tempfile.TemporaryDirectory(prefix="tf_darts_worker_")
        self.path = pathlib.Path(self._scratch.name)

    @property
    def checkpoints(self) -> pathlib.Path:
        return self._chief / "checkpoints"

    def file(self, name: str) -> pathlib.Path:
        own = self.path / name
        return own if files.exists(own) else self._chief / name

    def read_history(self) -> list[dict[str, Any]]:
        return read_history(self.path) or read_history(self._chief)

    def read_result(self) -> dict[str, Any] | None:
        return read_result(self.path) or read_result(self._chief)

    def close(self) -> None:
        self._scratch.cleanup()
