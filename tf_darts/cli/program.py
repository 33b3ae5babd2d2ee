"""How a command of this project runs: its flags are read, and what stops it is one line."""

import re
import sys
import traceback
from collections.abc import Callable

from absl import app, flags

from tf_darts.cli.members import load_members, requested
from tf_darts.errors import UserError, told
from tf_darts.runtime.console import warn
from tf_darts.runtime.files import shown
from tf_darts.runtime.signals import Stopped

_LONGEST = 400  # characters of a sentence about flags
_NO_ROOM = "ResourceExhaustedError"  # TensorFlow's, which is not loaded here

# What absl's parsers say of a value that they cannot read.
_REASONS = {
    r"invalid literal for int\(\).*": "it must be a whole number",
    r"could not convert string to float.*": "it must be a number",
    r"\('Non-boolean argument to boolean flag'.*": "it must be true or false",
}


def run(
    main: Callable[[list[str]], int | None],
    name: str,
    define_flags: Callable[[], None] = lambda: None,
    parse: Callable[[list[str]], list[str]] | None = None,
) -> None:
    """Parses the flags, runs `main` with the other arguments and exits with its status.

    What `--load` names is loaded first. Then `define_flags` is called, whose flags may be those of
    loaded members; and then `parse`, in place of this module's, which may answer and exit.

    A wrong flag, a `UserError`, a wrong use or what the system refuses is one line and status 2,
    Ctrl-C one line and 130, a run that a signal stopped one line and 128 with the signal's number.
    """

    def guarded(arguments: list[str]) -> int | None:
        try:
            return main(arguments)
        except (UserError, app.UsageError) as error:
            warn(f"{name}: {error}")
            return 2
        except OSError as error:  # what no other place has made a sentence of
            file = f"{shown(error.filename)}: " if error.filename else ""
            warn(f"{name}: {file}{error.strerror or error}.")
            return 2
        except Stopped as stopped:
            warn(f"{name}: {stopped}")
            return 128 + stopped.signal_number
        except Exception as error:
            if type(error).__name__ != _NO_ROOM:
                raise
            warn(
                f"{name}: there is no room left ({told(error)}); where it is memory that is"
                " short, a smaller --batch_size needs less, and of images a smaller --image_size."
            )
            return 2

    def parsed(arguments: list[str]) -> list[str]:
        try:
            load_members(requested(arguments[1:]))
            define_flags()
            return (parse or parse_flags)(arguments)
        except UserError as error:
            warn(f"{name}: {error}")
            sys.exit(2)

    try:
        app.run(guarded, flags_parser=parsed)
    except KeyboardInterrupt:
        warn(f"{name}: interrupted.")
        sys.exit(130)


def parse_flags(arguments: list[str], values: flags.FlagValues = flags.FLAGS) -> list[str]:
    """The arguments that are no flags; raises `UserError` where a flag is wrong.

    Args:
      arguments: the program's name and all that follows it.
      values: the flags that there are.
    """
    try:
        return values(arguments)
    except (flags.Error, ValueError) as error:  # ValueError: --noNAME=VALUE; a flagfile's encoding
        text = " ".join(_sentence(error).split()).rstrip(".")
        text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
        raise UserError(f"{text[:_LONGEST]}{'…' if len(text) > _LONGEST else ''}.") from error


def _flagfile(error: UnicodeDecodeError) -> str:
    """The flagfile that absl could not decode, one that another names too; "" where none is found.

    The error does not say it, but absl's function that reads a file has its name.
    """
    frames = traceback.walk_tb(error.__traceback__)
    names = [frame.f_locals.get("filename") for frame, _ in frames]
    return next((name for name in reversed(names) if isinstance(name, str)), "")


def _sentence(error: Exception) -> str:
    text = str(error)
    if isinstance(error, flags.UnrecognizedFlagError):
        near = re.findall(r"[\w-]+", text.partition("Did you mean:")[2])
        hint = f"; did you mean {' or '.join(f'--{name}' for name in near)}?" if near else ";"
        return f"--{error.flagname} is no flag{hint} --help lists them"
    if isinstance(error, flags.CantOpenFlagFileError):
        refused = error.__context__
        return f"--flagfile={refused.filename}: cannot be read ({refused.strerror}); give another"
    if isinstance(error, UnicodeDecodeError):
        given = f"--flagfile={name}" if (name := _flagfile(error)) else "--flagfile: a file"
        return f"{given} is not UTF-8 at byte {error.start}; write it as UTF-8"
    if text.startswith("Missing value for flag "):
        flag = text.removeprefix("Missing value for flag ")
        return f"{flag}: a value is missing; write {flag}=VALUE"
    if text.endswith(" does not take an argument"):
        flag = text.removesuffix(" does not take an argument")
        name = flag.partition("=")[0].lstrip("-").removeprefix("no")
        return f"{flag}: it takes no value; write --no{name} or --{name}=false"
    head, colon, reason = text.removeprefix("flag ").partition(": ")
    for pattern, words in _REASONS.items():
        if re.fullmatch(pattern, reason, re.DOTALL):
            return f"{head}: {words}"
    required = re.findall(r"Flag (--\w+) must have a value other than None\.", text)
    if required:
        written = " ".join(f"{name}=VALUE" for name in required)
        return f"no {' and no '.join(required)} given; write {written}"
    return head + colon + reason
