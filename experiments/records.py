"""Files of records, a JSON object a line, which several programs may write at the same time."""

import fcntl
import json
import os
import pathlib
from collections.abc import Callable, Iterable
from typing import Any

from tf_darts.runtime import files

Line = dict[str, Any]


def read(path: pathlib.Path) -> list[Line]:
    """The lines of a file; none where there is no such file."""
    return files.read_json_lines(path) if path.exists() else []


def add(path: pathlib.Path, lines: Iterable[Line], key: Callable[[Line], Any]) -> list[Line]:
    """Adds lines to a file, each in the place of that of the same key, and sorts it by them.

    Another program that adds to a file of the same folder waits meanwhile.

    Returns:
      All lines of the file.
    """
    files.make_directory(path.parent)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        known = {key(line): line for line in (*read(path), *lines)}
        content = [known[name] for name in sorted(known)]
        files.write_atomically(path, "".join(json.dumps(line) + "\n" for line in content))
    finally:
        os.close(folder)
    return content
