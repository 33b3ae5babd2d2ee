"""Files of records, a JSON object a line, which several programs may write at the same time.

Where they are many, a folder has a file for each method, whose name ends in .jsonl too.
"""

import fcntl
import itertools
import json
import os
import pathlib
from collections.abc import Callable, Iterable
from typing import Any

from tf_darts.runtime import files

Line = dict[str, Any]
SUFFIX = ".jsonl"  # of a file; a path without it is a folder


def read(path: pathlib.Path) -> list[Line]:
    """The lines of a file, or of all files of a folder; none where there is neither."""
    if path.is_dir():
        return [line for file in sorted(path.glob(f"*{SUFFIX}")) for line in read(file)]
    return files.read_json_lines(path) if path.exists() else []


def add(path: pathlib.Path, lines: Iterable[Line], key: Callable[[Line], Any]) -> list[Line]:
    """Adds lines to a file, each in the place of that of the same key, and sorts it by them.

    Another program that adds to a file of the same folder waits meanwhile.

    Args:
      path: the file, or the folder that has one for each "method" of the lines.
      lines: what is added.
      key: tells lines apart.

    Returns:
      All lines of the file, or of the folder.
    """
    if path.suffix != SUFFIX:
        by_method = sorted(lines, key=lambda line: line["method"])
        for method, same in itertools.groupby(by_method, key=lambda line: line["method"]):
            add(path / f"{method}{SUFFIX}", same, key)
        return read(path)
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
