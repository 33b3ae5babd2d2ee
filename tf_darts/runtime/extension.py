"""Whether a run that is there can go on with other settings: the same ones, or ones that grew."""

import pathlib
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from tf_darts.errors import StateError


class Extendable(NamedTuple):
    """The settings with which a run may go on although they are not those that it began with.

    Attributes:
      larger: numbers that may be larger, lists and mappings that may be longer; by name "", or why
        this run's may not.
      new: names that a run need not have had.
    """

    larger: Mapping[str, str] = {}
    new: Collection[str] = ()


def check_settings(
    path: pathlib.Path, before: Mapping[str, Any], now: Mapping[str, Any], extendable: Extendable
) -> bool:
    """Whether settings have grown, of those that may.

    Args:
      path: of the run's directory.
      before: the settings that the run has.
      now: the settings that are asked for.
      extendable: which may be others.

    Raises:
      StateError: others differ, or what may grow did not.
    """
    names = sorted(before.keys() | now.keys())
    differing = [name for name in names if before.get(name) != now.get(name)]
    for name in set(differing) & extendable.larger.keys():
        why = extendable.larger[name]
        if why or not (name not in before or _has_grown(before[name], now.get(name))):
            why = why or "a run can be extended, but what it has is not taken back"
            raise StateError(
                f"--run_dir={path}: {_difference(name, before, now)}, but {why}; give another"
                " directory, or the same settings as before."
            )
    added = {name for name in extendable.new if name not in before}
    others = [name for name in differing if name not in added | extendable.larger.keys()]
    if others:
        raise StateError(
            f"--run_dir={path}: holds a run of another configuration"
            f" ({'; '.join(_difference(name, before, now) for name in others)}); give another"
            " directory, or the same settings to resume it."
        )
    return bool(differing)


def _has_grown(before: Any, now: Any) -> bool:
    """Whether a number is larger, or a list or mapping has all that it had, and more."""
    if isinstance(before, list) and isinstance(now, list):
        return all(item in now for item in before)
    if isinstance(before, dict) and isinstance(now, dict):
        return all(name in now and now[name] == value for name, value in before.items())
    return isinstance(before, int) and isinstance(now, int) and now > before


def _difference(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    return f"{name} was {before.get(name)!r} and is now {now.get(name)!r}"
