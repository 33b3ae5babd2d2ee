"""The file system, asked and written in one place, where every refusal becomes one sentence."""

import contextlib
import json
import os
import pathlib
import secrets
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from tf_darts.errors import StateError, StorageError

Path = pathlib.Path | str
_Answer = TypeVar("_Answer")

_SHOWN = 200  # characters of a path in a sentence
PARTIAL = ".partial"  # ends the name of what a kill may leave half-written


def shown(value: object, length: int = _SHOWN) -> str:
    """A path or value as a sentence shows it: on one line, and cut after `length` characters."""
    try:
        text = str(value)
    except ValueError:  # a whole number of more digits than Python writes
        return "a number of thousands of digits"
    cut = text if len(text) <= length else f"{text[:length]}…"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in cut)


def expanded(path: Path) -> pathlib.Path:
    """A path with `~` and `~user` made home directories; raises `UserError` where none is known."""
    try:
        return pathlib.Path(path).expanduser()
    except RuntimeError as error:
        raise _unreadable(path, "there is no such home directory", "give another path") from error


def exists(path: Path) -> bool:
    """Whether something is there; raises `StateError` where that cannot be asked."""
    return _ask_system(path, pathlib.Path.exists)


def is_file(path: Path) -> bool:
    """Whether a file is there; raises `StateError` where that cannot be asked."""
    return _ask_system(path, pathlib.Path.is_file)


def is_directory(path: Path) -> bool:
    """Whether a directory is there; raises `StateError` where that cannot be asked."""
    return _ask_system(path, pathlib.Path.is_dir)


def entries(path: Path) -> list[pathlib.Path]:
    """What is in a directory, in the order of the names; raises `StateError`."""
    return _ask_system(path, lambda directory: sorted(directory.iterdir()))


def check_kind(path: Path, *, directory: bool) -> None:
    """Raises `StateError` where something else is in the place of a file, or of a directory."""
    if exists(path) and is_directory(path) != directory:
        kinds = ("a directory", "a file") if directory else ("a file", "a directory")
        raise StateError(
            f"{shown(path)}: must be {kinds[0]}, and is {kinds[1]}; move it away and restore what"
            " was there from a copy, or give another directory."
        )


def read_bytes(path: Path, advice: str = "") -> bytes:
    """A file's content.

    Args:
      path: of the file.
      advice: what to do where it cannot be read, the end of the sentence.

    Raises:
      StateError: it cannot be read.
    """
    return _ask_system(path, pathlib.Path.read_bytes, advice)


def read_text(path: Path, advice: str = "") -> str:
    """A UTF-8 file's content; arguments and errors as of `read_bytes`."""
    content = read_bytes(path, advice)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"not UTF-8 at byte {error.start}", advice) from error


def read_json(path: Path, advice: str = "", kind: type = dict) -> Any:
    """What a JSON file holds.

    Args:
      path: of the file.
      advice: what to do where it cannot be read, the end of the sentence.
      kind: of what the file must hold.

    Raises:
      StateError: the file cannot be read, is no JSON, or holds something else.
    """
    return _parsed(path, read_text(path, advice), 1, advice, kind)


def read_json_lines(path: Path, advice: str = "") -> list[dict[str, Any]]:
    """The objects of a file with one a line; arguments and errors as of `read_json`."""
    lines = read_text(path, advice).split("\n")
    if lines.pop():
        raise _unreadable(path, f"line {len(lines) + 1} is cut off", advice)
    return [_parsed(path, line, number, advice, dict) for number, line in enumerate(lines, 1)]


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replaces `path` by `content` (text is UTF-8): either the old file or the new one, whole.

    Its rights are those of a new file, as the umask has them.

    Raises:
      StorageError: it cannot be written; the old file is as it was.
    """
    path = pathlib.Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    with writing(path):
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def flush(path: Path) -> None:
    """Has the disk keep a file, or a directory's names, through a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_directory(path: Path) -> None:
    """Makes a directory and its parents where they are missing; raises `StorageError`."""
    with writing(path):
        pathlib.Path(path).mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Makes a `StorageError` of what the system refuses while `path` is written."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{shown(path)}: cannot be written ({error.strerror or error}); make room or give"
            " rights there, then repeat the command, or give another directory."
        ) from error


def _ask_system(
    path: Path, question: Callable[[pathlib.Path], _Answer], advice: str = "give another path"
) -> _Answer:
    try:
        if "\0" in str(path):  # pathlib's `exists` and others would say no
            raise ValueError("embedded null byte")
        return question(pathlib.Path(path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unreadable(path, reason, advice) from error


def _parsed(path: Path, text: str, line: int, advice: str, kind: type) -> Any:
    try:
        document = parse_json(text)
    except (ValueError, RecursionError) as error:
        line += getattr(error, "lineno", 1) - 1
        reason = getattr(error, "msg", None) or str(error) or "nested too deeply"
        raise _unreadable(path, f"line {line}: {reason}", advice) from error
    if not isinstance(document, kind):
        have, want = _KINDS.get(type(document), "null"), _KINDS[kind]
        raise _unreadable(path, f"line {line} holds {have} in place of {want}", advice)
    return document


def parse_json(text: str) -> Any:
    """What a JSON text holds; raises `ValueError` (a key twice too) or `RecursionError`."""
    return json.loads(text, object_pairs_hook=_distinct)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; raises `ValueError` where a key is in it twice."""
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {shown(repr(twice))} is there twice")
    return document


_KINDS = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
}


def _unreadable(path: Path, reason: str, advice: str) -> StateError:
    return StateError(f"{shown(path)}: cannot be read ({reason}){'; ' if advice else ''}{advice}.")
