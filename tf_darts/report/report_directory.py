"""Where a report lives: a directory that is its own, so that a new one may replace an old one."""

import json
import pathlib
import shutil

from tf_darts import __version__
from tf_darts.errors import StateError, UserError
from tf_darts.runtime import files

_MARKER = "config.json"
_FOLDERS = ("plots", "tensorboard")


def check_report_directory(path: pathlib.Path) -> None:
    """Raises `UserError` where a directory holds anything but a report, or is none."""
    if not files.exists(path):
        return
    if not files.is_directory(path):
        raise UserError(f"--report_dir={path}: is a file; give a directory.")
    if files.entries(path) and not _is_report(path):
        raise UserError(
            f"--report_dir={path}: holds files that are no report; give an empty or a new"
            " directory, or that of an older report."
        )


def empty_report_directory(path: pathlib.Path, settings: dict[str, str]) -> None:
    """Makes the directory ready for a report: marked as one, its folders there and empty.

    Files that others put beside the report stay.

    Args:
      path: of a directory that `check_report_directory` lets pass.
      settings: of the report; kept in the mark.

    Raises:
      StorageError: it cannot be written.
    """
    document = {"tf_darts": __version__, "kind": "report", "settings": settings}
    files.make_directory(path)
    files.write_atomically(path / _MARKER, json.dumps(document, indent=2) + "\n")
    for folder in _FOLDERS:
        with files.writing(path / folder):
            if (path / folder).exists():
                shutil.rmtree(path / folder)
            (path / folder).mkdir()


def _is_report(path: pathlib.Path) -> bool:
    try:
        document = files.read_json(path / _MARKER)
    except StateError:
        return False
    settings = document.get("settings")
    # Of commit 517e77a.
    is_old_report = isinstance(settings, dict) and settings.get("mode") == "report"
    return document.get("kind") == "report" or is_old_report
