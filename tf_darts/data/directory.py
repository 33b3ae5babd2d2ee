"""The directory that `--data_dir` names."""

import os
import pathlib
import shlex

from tf_darts.errors import UserError
from tf_darts.runtime.files import expanded, is_directory, shown


def data_directory(
    data_dir: str | os.PathLike[str] | None, *, downloads: bool
) -> pathlib.Path | None:
    """The directory, or None where none is given.

    Args:
      data_dir: as given; empty or None for none.
      downloads: whether the data set is put there if it is missing, so that an empty one will do.

    Raises:
      UserError: it is not there, or something else is.
    """
    if not data_dir:
        return None
    directory = expanded(data_dir)
    if is_directory(directory):
        return directory
    make = f", or make it with mkdir -p {shlex.quote(shown(directory))}" if downloads else ""
    raise UserError(
        f"--data_dir={shown(directory)} is not a directory; give one that exists{make}."
    )
