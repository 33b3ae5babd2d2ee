"""The directory that `--data_dir` names."""

import os
import pathlib
import shlex

from tf_darts.data import own_sets
from tf_darts.errors import UserError
from tf_darts.runtime.files import expanded, is_directory, shown

_OURS = ("digits", "planted", "folder", "text")  # what is not downloaded, beside registered sets


def data_directory(data_dir: str | os.PathLike[str] | None, dataset: str) -> pathlib.Path | None:
    """The directory, or None where none is given.

    Args:
      data_dir: as given; empty or None for none.
      dataset: of which set; what is downloaded is put there, so that an empty one will do.

    Raises:
      UserError: it is not there, or something else is.
    """
    if not data_dir:
        return None
    directory = expanded(data_dir)
    if is_directory(directory):
        return directory
    ours = dataset in (*_OURS, *own_sets.IMAGES, *own_sets.TEXTS)
    make = "" if ours else f", or make it with mkdir -p {shlex.quote(shown(directory))}"
    raise UserError(
        f"--data_dir={shown(directory)} is not a directory; give one that exists{make}."
    )
