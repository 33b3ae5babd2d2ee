"""A run directory: the whole state of a run, for one configuration and one process at a time."""

import fcntl
import json
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from tf_darts import __version__
from tf_darts.errors import UserError
from tf_darts.runtime.files import write_atomically


class RunDirectory:
    """Opens a new run, or the one that was begun here with the same settings.

    Attributes:
      path: the directory.
      resumed: whether a run was here already.
    """

    def __init__(
        self,
        path: str | pathlib.Path,
        settings: dict[str, Any],
        legacy: Mapping[str, Any] | None = None,
    ) -> None:
        """Makes or opens the directory and holds it until the process ends.

        Args:
          path: the directory; it is made where it is missing.
          settings: what decides the run's results, as JSON types.
          legacy: settings that older versions did not have, with the values by which their runs
            went.

        Raises:
          UserError: the directory is another configuration's, is no run directory, cannot be
            written, or is in use.
        """
        self.path = pathlib.Path(path).expanduser()
        self._legacy = legacy or {}
        self._hold(lambda: self._claim(settings))

    @classmethod
    def open(cls, path: str | pathlib.Path) -> "tuple[RunDirectory, dict[str, Any]]":
        """Opens the run that is in a directory, and holds it until the process ends.

        Returns:
          The directory and the settings of its run.

        Raises:
          UserError: there is no run, or it cannot be read, or it is in use.
        """
        run = cls.__new__(cls)
        run.path = pathlib.Path(path).expanduser()
        if not (run.path / "config.json").exists():
            raise UserError(
                f"--run_dir={run.path}: has no run in it (no config.json); give another one."
            )
        run.resumed = True
        run._hold(lambda: True)
        return run, run._settings()

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
          UserError: there is no run, or one of another configuration.
        """
        run = cls.__new__(cls)
        run.path = pathlib.Path(path).expanduser()
        if not (run.path / "config.json").exists():
            raise UserError(
                f"--run_dir={run.path}: has no run in it (no config.json); give the chief's, which"
                " all its workers must see."
            )
        run._legacy = legacy or {}
        run._compare(settings)
        return run.path

    @property
    def checkpoints(self) -> pathlib.Path:
        """Where the run's checkpoints are."""
        return self.path / "checkpoints"

    def _hold(self, claim: Callable[[], bool]) -> None:
        """Locks the directory, and sets `resumed` by `claim`."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise UserError(
                f"--run_dir={self.path}: cannot be written ({error.strerror}); give another one."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.resumed = claim()
        except BlockingIOError as error:
            self._lock.close()
            raise UserError(
                f"--run_dir={self.path}: another process is running there; wait for it or give"
                " another directory."
            ) from error
        except BaseException:
            self._lock.close()
            raise

    def _claim(self, settings: dict[str, Any]) -> bool:
        """Writes `config.json`, or compares with the one that is there."""
        file = self.path / "config.json"
        if not file.exists():
            if any(entry.name != ".lock" for entry in self.path.iterdir()):
                raise UserError(
                    f"--run_dir={self.path}: holds files but no run (no config.json); give an"
                    " empty or a new directory."
                )
            self.write_json("config.json", {"tf_darts": __version__, "settings": settings})
            return False
        self._compare(settings)
        return True

    def _compare(self, settings: dict[str, Any]) -> None:
        """Raises `UserError` where the run that is here has other settings."""
        missing = {name: value for name, value in self._legacy.items() if name in settings}
        before = missing | self._settings()
        names = sorted(before.keys() | settings.keys())
        differences = [
            f"{name} was {before.get(name)!r} and is now {settings.get(name)!r}"
            for name in names
            if before.get(name) != settings.get(name)
        ]
        if differences:
            raise UserError(
                f"--run_dir={self.path}: holds a run of another configuration"
                f" ({'; '.join(differences)}); give another directory, or the same settings to"
                " resume it."
            )

    def close(self) -> None:
        """Lets another process have the directory."""
        self._lock.close()

    def _settings(self) -> dict[str, Any]:
        """The settings in `config.json`."""
        file = self.path / "config.json"
        try:
            return dict(json.loads(file.read_text(encoding="utf-8"))["settings"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{file}: cannot be read as a run's configuration; give another --run_dir."
            ) from error

    def write_json(self, name: str, document: Any) -> None:
        """Writes a JSON file of the run atomically."""
        write_atomically(self.path / name, json.dumps(document, indent=2) + "\n")

    def read_history(self) -> list[dict[str, Any]]:
        """The records of `history.jsonl`, oldest first."""
        return _records(self.path)

    def write_history(self, records: list[dict[str, Any]]) -> None:
        """Replaces `history.jsonl`, one record a line."""
        lines = "".join(json.dumps(record) + "\n" for record in records)
        write_atomically(self.path / "history.jsonl", lines)


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
        self._scratch = tempfile.TemporaryDirectory(prefix="tf_darts_worker_")
        self.path = pathlib.Path(self._scratch.name)

    @property
    def checkpoints(self) -> pathlib.Path:
        return self._chief / "checkpoints"

    def read_history(self) -> list[dict[str, Any]]:
        return _records(self.path) or _records(self._chief)

    def close(self) -> None:
        self._scratch.cleanup()


def _records(path: pathlib.Path) -> list[dict[str, Any]]:
    file = path / "history.jsonl"
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
