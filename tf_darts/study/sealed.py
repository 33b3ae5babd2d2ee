"""JSON files with a digest of what is in them: a file that was damaged or changed is noticed."""

import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from tf_darts.errors import StateError
from tf_darts.runtime import files

_SEAL = "sha256"


def save_sealed(path: pathlib.Path, document: Mapping[str, Any]) -> None:
    """Writes a JSON object with its digest, atomically; raises `StorageError`."""
    plain = json.loads(json.dumps(document))
    sealed = plain | {_SEAL: _digest(plain)}
    files.write_atomically(path, json.dumps(sealed, indent=2) + "\n")


def load_sealed(path: pathlib.Path, advice: str) -> dict[str, Any]:
    """What `save_sealed` wrote; files of older versions have no digest.

    Args:
      path: of the file.
      advice: what to do where it cannot be read, the end of the sentence.

    Raises:
      StateError: it cannot be read, or is not as it was written.
    """
    document = files.read_json(path, advice)
    seal = document.pop(_SEAL, None)
    if seal is not None and seal != _digest(document):
        raise StateError(
            f"{files.shown(path)}: was changed since it was written, or is damaged; {advice}."
        )
    return document


def _digest(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
