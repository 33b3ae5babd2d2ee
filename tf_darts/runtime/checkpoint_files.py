"""A folder's checkpoints as files: which are whole, what they hold, and their reading."""

import contextlib
import json
import logging
import pathlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf

from tf_darts.errors import StateError
from tf_darts.runtime import files

INDEX, DATA = ".index", ".data-00000-of-00001"  # the two files of a checkpoint
STATE = "checkpoint"  # TensorFlow's list of a folder's checkpoints
_PATTERN = frozenset("[]*?\\")  # characters of paths that TensorFlow takes as patterns

# What TensorFlow raises where a checkpoint is broken, or of other variables.
_BROKEN = (AssertionError, IndexError, ValueError, RuntimeError, tf.errors.OpError)


def saved(folder: pathlib.Path) -> list[pathlib.Path]:
    """The whole checkpoints in a folder, as prefixes of their two files, the newest first.

    TensorFlow's list in the folder decides, as runs of old versions saved lower numbers after a
    rollback; without it, and for what is not in it, the number does.
    """
    if not files.is_directory(folder):
        return []
    prefixes = [file.with_suffix("") for file in files.entries(folder) if file.suffix == INDEX]
    prefixes = [prefix for prefix in prefixes if files.is_file(f"{prefix}{DATA}")]
    listed = _listed(folder)
    return sorted(
        prefixes, key=lambda prefix: (_place(prefix, listed), number_of(prefix)), reverse=True
    )


def read(prefix: pathlib.Path, variables: Mapping[str, Any]) -> None:
    """Gives the variables what a checkpoint holds of them.

    Args:
      prefix: one of `saved`.
      variables: by their names in the checkpoint, which may have others too.

    Raises:
      StateError: the checkpoint is broken, or lacks something of the variables.
    """
    with _reading(prefix) as path:
        status = tf.train.Checkpoint(**variables).read(path).expect_partial()
        status.assert_existing_objects_matched()


def names(prefix: pathlib.Path) -> list[str]:
    """The names of what a checkpoint holds; errors as of `read`."""
    with _reading(prefix) as path:
        return [name for name, _ in tf.train.list_variables(path)]


def is_ahead(anchor: pathlib.Path, latest: pathlib.Path) -> bool:
    """Whether a checkpoint's history is longer than another's; not where one cannot be read."""
    epochs = []
    for prefix in (anchor, latest):
        try:
            with plain_path(prefix.parent) as folder:
                reader = tf.train.load_checkpoint(str(folder / prefix.name))
                found = [n for n in reader.get_variable_to_shape_map() if n.startswith("history/")]
                epochs.append(len(json.loads(reader.get_tensor(found[0]))))
        except _BROKEN:  # of an older version, or broken: whoever reads it will say so
            return False
    return epochs[0] > epochs[1]


@contextlib.contextmanager
def _reading(prefix: pathlib.Path) -> Iterator[str]:
    """A checkpoint's path for TensorFlow, whose complaints become one sentence."""
    try:
        with plain_path(prefix.parent) as folder:
            yield str(folder / prefix.name)
    except _BROKEN as error:
        tf.get_logger().addFilter(_is_not_unread_listing)
        raise StateError(
            f"{prefix}: this checkpoint is broken or of another model; restore {prefix.parent} from"
            " a copy, or give another --run_dir to begin again."
        ) from error


def _is_not_unread_listing(record: logging.LogRecord) -> bool:
    """Of a checkpoint that could not be read TensorFlow lists all that is in it, line by line."""
    message = record.getMessage()
    return not message.startswith(("Value in checkpoint could not", "Detecting that an object"))


@contextlib.contextmanager
def plain_path(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """The folder under a path that TensorFlow takes as it stands, not as a pattern."""
    if not _PATTERN & set(str(folder.absolute())):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="tf_darts_") as links:
        link = pathlib.Path(links) / "folder"
        link.symlink_to(folder.absolute())
        yield link


def _listed(folder: pathlib.Path) -> list[str]:
    """The names in TensorFlow's list, oldest first; none where the list is missing or broken."""
    try:
        state = tf.train.get_checkpoint_state(str(folder))
    except (tf.errors.OpError, UnicodeDecodeError, ValueError):
        return []
    return [] if state is None else [pathlib.Path(p).name for p in state.all_model_checkpoint_paths]


def _place(prefix: pathlib.Path, listed: list[str]) -> int:
    return listed.index(prefix.name) if prefix.name in listed else -1


def number_of(prefix: pathlib.Path) -> int:
    """The number in a checkpoint's name; -1 where it has none."""
    digits = prefix.name.removeprefix("ckpt-")
    return int(digits) if digits.isdecimal() else -1
