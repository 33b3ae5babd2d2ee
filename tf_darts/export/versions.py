"""Exported versions as TF Serving lays them out: DIR/1, DIR/2, …, each whole or not there."""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator

from tf_darts.errors import UserError


def next_version(export_dir: pathlib.Path, wanted: int = 0) -> int:
    """The number of the version to write: `wanted`, or the highest that is there plus 1.

    Makes the directory where it is missing.

    Raises:
      UserError: the directory cannot be written, or the wanted version is there.
    """
    try:
        export_dir.mkdir(parents=True, exist_ok=True)
        # Only writing shows whether one may write.
        tempfile.TemporaryFile(dir=export_dir).close()
        names = [entry.name for entry in export_dir.iterdir()]
    except OSError as error:
        raise UserError(
            f"--export_dir={export_dir}: cannot be written ({error.strerror}); give another one."
        ) from error
    if wanted and str(wanted) in names:
        raise UserError(
            f"--version={wanted}: {export_dir / str(wanted)} is there already, and no version is"
            " overwritten; leave the flag out to take the next number."
        )
    # As TF Serving reads them.
    return wanted or max((int(name) for name in names if name.isdecimal()), default=0) + 1


@contextlib.contextmanager
def new_version(export_dir: pathlib.Path, version: int) -> Iterator[pathlib.Path]:
    """A directory to write a version into; it becomes `export_dir`/`version` at the end.

    Where the block raises, nothing is left.

    Raises:
      UserError: somebody else wrote this version meanwhile.
    """
    target = export_dir / str(version)
    # Beside the versions, for across file systems there is no renaming; TF Serving overlooks names
    # that are no numbers.
    with tempfile.TemporaryDirectory(dir=export_dir, prefix=".export_") as folder:
        staged = pathlib.Path(folder) / "version"
        staged.mkdir()
        yield staged
        try:
            staged.rename(target)
        except OSError as error:
            raise UserError(
                f"{target}: cannot be made of the finished export ({error.strerror}); give another"
                " --version or --export_dir."
            ) from error
