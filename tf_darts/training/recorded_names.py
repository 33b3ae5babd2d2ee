"""The names of classes and words that a run keeps, read as its training wrote them, or refused."""

import hashlib
import pathlib
from collections.abc import Mapping
from typing import Any

from tf_darts.data.asset_files import read_listed
from tf_darts.errors import UserError
from tf_darts.runtime.files import exists, read_json, read_text

DATA_FILE = "data.json"
FILES = "files"  # of the description: a checksum for each file of names
_ADVICE = "the same command makes it again (with the --data_dir that the training had)"


def checksums(assets: Mapping[str, str]) -> dict[str, str]:
    """What `FILES` of a run's description holds: a checksum for each file of names."""
    return {name: _checksum(content) for name, content in assets.items()}


def read_description(
    run: pathlib.Path, advice: str = f"delete it, and {_ADVICE}"
) -> dict[str, Any]:
    """What a run says of its data; nothing where it has no such file.

    Args:
      run: its directory.
      advice: what to do where it is broken, the end of the error.

    Raises:
      UserError: the file is broken.
    """
    file = run / DATA_FILE
    if not exists(file):
        return {}
    return read_json(file, advice)


def read_names(run: pathlib.Path, name: str, count: int) -> tuple[str, ...]:
    """The names in a file that a run keeps of its data.

    Args:
      run: its directory.
      name: of the file.
      count: of the names, as the run describes its data.

    Raises:
      UserError: the file is missing, broken or not the one that the training wrote.
    """
    file = run / name
    content = read_text(file, f"delete it, and {_ADVICE}")
    expected = _recorded(read_description(run), name)
    if expected is not None and _checksum(content) != expected:
        raise UserError(
            f"{file}: is not the file that the training wrote (its checksum in {DATA_FILE} is"
            f" another); put that back, or delete this one, and {_ADVICE}."
        )
    names = read_listed(content)
    if len(names) != count or not content.endswith("\n"):
        raise UserError(
            f"{file}: does not hold {count:,} names, a line each, as {DATA_FILE} says; put the"
            f" training's file back, or delete this one, and {_ADVICE}."
        )
    return names


def described(run: pathlib.Path, what: str, is_valid: bool) -> None:
    """Raises `UserError` unless a run's description of its data is valid, about `what`."""
    if not is_valid:
        raise UserError(
            f"{run / DATA_FILE}: does not describe {what} as trainings do; delete it, and"
            f" {_ADVICE}."
        )


def differs(run: pathlib.Path, name: str, content: str) -> bool:
    """Whether a file of names has another content than a run remembers, as far as it does."""
    file, expected = run / name, _recorded(read_description(run), name)
    current = read_text(file, f"delete it, and {_ADVICE}") if exists(file) else content
    return current != content or expected not in (None, _checksum(content))


def _recorded(description: Mapping[str, Any], name: str) -> Any:
    """The checksum of a file that is kept; None in runs of before there were checksums."""
    files = description.get(FILES)
    return str(files.get(name)) if isinstance(files, dict) else files


def _checksum(content: str) -> str:
    return hashlib.sha256(content.encode("utf-8")).hexdigest()
