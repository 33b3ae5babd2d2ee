"""Exported versions as TF Serving lays them out: DIR/1, DIR/2, …, each whole or not there."""

import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf

from tf_darts.errors import StorageError, UserError
from tf_darts.runtime.files import entries, exists, make_directory, shown, writing

# Begins the name of what is not finished. It stands beside the versions, for across file systems
# there is no renaming; TF Serving overlooks names that are no numbers.
_STAGING = ".export_"

_PATTERNS = frozenset("[*?\\")

# What TensorFlow's own writers put around the reason.
_DECORATION = re.compile(r"\{\{.*?\}\} | \[Op:\w+\]")


class NewVersion(NamedTuple):
    """A version that is being written.

    Attributes:
      number: of the version.
      folder: to write into.
    """

    number: int
    folder: pathlib.Path


@contextlib.contextmanager
def new_version(export_dir: pathlib.Path, requested: int = 0) -> Iterator[NewVersion]:
    """A version to write; it becomes `export_dir`/number at the end.

    The number is this process's from the beginning on: of two exports at once, each has its own.
    Where the block raises, nothing is left. What a killed export left is removed.

    Args:
      export_dir: the directory of all versions, made where it is missing.
      requested: the number; 0 takes the highest that is there or being written, plus 1.

    Raises:
      StorageError: the directory cannot be written.
      UserError: its name is a pattern to TensorFlow; or the wanted version is there, or is being
        written.
    """
    if pattern := sorted(_PATTERNS & set(str(export_dir))):
        raise UserError(
            f"--export_dir={shown(export_dir)}: TensorFlow reads {' and '.join(pattern)} in a path"
            " as a pattern and could not load what is exported there; give a directory without."
        )
    is_new = not exists(export_dir)
    make_directory(export_dir)
    with contextlib.ExitStack() as stack:
        if is_new:
            stack.callback(_remove_empty, export_dir)
        number, folder = _claimed(export_dir, requested, stack)
        version = NewVersion(number, folder / "version")
        with storing(export_dir):
            version.folder.mkdir()
        yield version
        with storing(export_dir / str(number)):
            version.folder.rename(export_dir / str(number))


@contextlib.contextmanager
def storing(path: pathlib.Path) -> Iterator[None]:
    """Makes a `StorageError` of what the system refuses while Python or TensorFlow writes there."""
    try:
        with writing(path):
            yield
    except tf.errors.InvalidArgumentError:
        raise  # our own fault
    except tf.errors.OpError as error:
        lines = _DECORATION.sub("", error.message).splitlines()
        reason = lines[0] if lines else type(error).__name__
        raise StorageError(
            f"{shown(path)}: cannot be written ({reason}); make room or give rights there, then"
            " repeat the command, or give another directory."
        ) from error


def _claimed(
    export_dir: pathlib.Path, requested: int, stack: contextlib.ExitStack
) -> tuple[int, pathlib.Path]:
    """A number, and a staging directory that is gone and free when the stack is closed."""
    with storing(export_dir), _locked(export_dir, wait=True):  # for a moment
        used_numbers = {int(path.name) for path in entries(export_dir) if path.name.isdecimal()}
        used_numbers |= _being_written(export_dir)
        if requested and requested in used_numbers:
            raise UserError(
                f"--export_version={requested}: {export_dir / str(requested)} is there already or"
                " being written, and no version is overwritten; leave the flag out to take the"
                " next number."
            )
        number = requested or max(used_numbers, default=0) + 1
        folder = pathlib.Path(tempfile.mkdtemp(dir=export_dir, prefix=f"{_STAGING}{number}_"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.enter_context(_locked(folder, wait=False))
    return number, folder


def _being_written(export_dir: pathlib.Path) -> set[int]:
    """The numbers that living processes write; removes what dead ones left."""
    numbers = set()
    for path in entries(export_dir):
        if not path.name.startswith(_STAGING):
            continue
        try:
            with _locked(path, wait=False):
                shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            numbers.add(int(path.name.removeprefix(_STAGING).split("_")[0]))
        except FileNotFoundError:
            pass  # its process has just ended
    return numbers


@contextlib.contextmanager
def _locked(folder: pathlib.Path, *, wait: bool) -> Iterator[None]:
    """Holds a directory; raises `BlockingIOError` where another does and one should not wait."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


def _remove_empty(folder: pathlib.Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
