"""What a run writes of its epochs and of its end."""

import pathlib
from typing import Any

from tf_darts.errors import StateError
from tf_darts.runtime import files

HISTORY = "history.jsonl"  # a record for each epoch
RESULT = "result.json"  # is there when the run has finished


def read_history(path: pathlib.Path) -> list[dict[str, Any]]:
    """The records of the run in a directory, oldest first; none where no epoch has ended.

    Raises:
      StateError: the file is broken, or its records are not those of the epochs 1, 2, ….
    """
    file = path / HISTORY
    if not files.exists(file):
        return []
    records = files.read_json_lines(file, "restore it from a copy")
    for number, record in enumerate(records, start=1):
        if record.get("epoch") != number or isinstance(record["epoch"], bool):
            raise StateError(
                f"{file}: line {number} is not the record of epoch {number}, but of"
                f" {record.get('epoch')!r}; restore it from a copy."
            )
    return records


def read_result(path: pathlib.Path) -> dict[str, Any] | None:
    """What `result.json` holds; None where the run has not finished; raises `StateError`."""
    file = path / RESULT
    if not files.exists(file):
        return None
    return files.read_json(
        file, "restore it from a copy, or remove it and repeat the command that made the run"
    )
