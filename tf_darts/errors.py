"""The exceptions that are meant for the person at the keyboard, and the words they share."""

import difflib
import operator
import re
from collections.abc import Iterable

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # with which Keras marks words for a terminal


class UserError(Exception):
    """Something the user can put right: one sentence saying what, where and what to do.

    `main` prints the sentence without a traceback and exits with status 2.
    """


class StateError(UserError):
    """What is on disk cannot be used as it is: a broken file, another run's directory, one in use.

    A study stops at it, where at another `UserError` only the candidate has failed.
    """


class StorageError(UserError):
    """The file system refused: a full disk, a directory that is gone, rights that are missing.

    What was written before is whole, and the same command goes on from there. A study stops at it,
    where at another `UserError` only the candidate has failed.
    """


def check_count(name: str, value: object, owner: str) -> None:
    """Raises `UserError` where an argument is no whole number of 1 or more.

    Args:
      name: of the argument.
      value: what was given.
      owner: what needs it, in words: "a network".
    """
    try:
        counted = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        counted = 0
    if counted < 1:
        raise UserError(f"{name} is {value!r:.60}; {owner} needs at least 1, a whole number.")


def enumerated(words: Iterable[str]) -> str:
    """Words as a sentence lists them: "a", "a and b", "a, b and c"."""
    *first, last = [*words] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def told(error: BaseException, most: int = 200) -> str:
    """What an exception of others says, as a part of a sentence: on one line, without colours.

    Args:
      error: the exception; the name of its class comes first.
      most: the length in characters.
    """
    text = _COLOURS.sub("", f"{type(error).__name__}: {error}")
    return " ".join(text.split())[:most].rstrip(".")


def did_you_mean(name: object, known: Iterable[str], count: int = 3, alike: float = 0.6) -> str:
    """What follows an unknown name in a sentence: " (did you mean …?)", "" where nothing is near.

    Args:
      name: what was given; only a text can be near one of `known`.
      known: the names that there are.
      count: this many are named at most.
      alike: from 0 to 1, how alike two names must be; 1 is the same.
    """
    near = difflib.get_close_matches(name, known, count, alike) if isinstance(name, str) else []
    return f" (did you mean {' or '.join(near)}?)" if near else ""
