"""Files of others that register members: methods and their parts, spaces, operations."""

import importlib.util
import pathlib
import sys
import traceback
from collections.abc import Sequence

from absl import flags

from tf_darts.errors import UserError, told
from tf_darts.runtime import files, start_up
from tf_darts.runtime.busy import busy
from tf_darts.runtime.environment import DIGEST, MEMBERS, digest
from tf_darts.runtime.files import shown

# Of `--load`, in programs that take members.
HELP = "The members that these files register are known; several are joined by commas."


def requested(arguments: Sequence[str], values: flags.FlagValues = flags.FLAGS) -> list[str]:
    """The files that `--load` names, before any flag is known.

    Args:
      arguments: of the program, without its name.
      values: reads flagfiles, in which `--load` may stand.
    """
    try:
        words = values.read_flags_from_files(list(arguments), force_gnu=False)
    except (flags.Error, ValueError, OSError):
        return []  # said when the flags are parsed
    paths: list[str] = []
    for word, following in zip(words, [*words[1:], ""], strict=False):
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and name == "load":
            paths += (value if equals else following).split(",")
    return [path for path in paths if path]


def load_members(paths: Sequence[str]) -> None:
    """Runs the files, which register what they have.

    Raises:
      UserError: a file is missing or is no Python file, or raises an error.
    """
    for path in paths:
        _load(files.expanded(path))


def _load(path: pathlib.Path) -> None:
    if not files.is_file(path) or path.suffix != ".py":
        raise UserError(
            f"--load={shown(path)}: no Python file is there; give the path of a file that ends in"
            " .py."
        )
    path = path.resolve()
    name = f"{MEMBERS}.{path.stem}_{abs(hash(path)):x}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    # Now: while a run goes on, its file may be changed or moved away.
    setattr(module, DIGEST, digest(files.read_bytes(path)))
    sys.modules[name] = module  # dataclasses look for their module there
    try:
        # Most import TensorFlow. Of standard output nothing is known yet: it may be for a program.
        with busy(f"Loading {path.name}", write=start_up.write_line), start_up.first_import():
            spec.loader.exec_module(module)
    except UserError as error:
        del sys.modules[name]
        raise UserError(f"--load={shown(path)}: {error}") from error
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(path)]
        line = error.lineno if isinstance(error, SyntaxError) else (lines or [None])[-1]
        place = f", line {line}" if line else ""
        raise UserError(
            f"--load={shown(path)}{place}: cannot be loaded ({told(error)}); mend the file."
        ) from error
