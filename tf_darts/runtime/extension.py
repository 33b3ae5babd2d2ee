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
    path: pathlib.Path,
    recorded: Mapping[str, Any],
    requested: Mapping[str, Any],
    extendable: Extendable,
) -> bool:
    """Whether settings have grown, of those that may.

    Args:
      path: of the run's directory.
      recorded: the settings that the run has.
      requested: the settings that are asked for.
      extendable: which may be others.

    Raises:
      StateError: others differ, or what may grow did not.
    """
    kinds = [settings.get("mode") for settings in (recorded, requested)]
    if all(kinds) and kinds[0] != kinds[1]:
        raise StateError(
            f"--run_dir={path}: holds a run of --mode={kinds[0]}; give one of --mode={kinds[1]} a"
            " directory of its own."
        )
    names = sorted(recorded.keys() | requested.keys())
    differing = [name for name in names if recorded.get(name) != requested.get(name)]
    for name in set(differing) & extendable.larger.keys():
        why = extendable.larger[name]
        if why or not (name not in recorded or _has_grown(recorded[name], requested.get(name))):
            why = why or "a run can only be extended"
            raise StateError(
                f"--run_dir={path}: {_difference(name, recorded, requested)}, but {why}; give"
                " another directory, or the same settings as before."
            )
    added = {name for name in extendable.new if name not in recorded}
    conflicting = [name for name in differing if name not in added | extendable.larger.keys()]
    if conflicting:
        differences = "; ".join(_difference(name, recorded, requested) for name in conflicting)
        raise StateError(
            f"--run_dir={path}: holds a run of another configuration ({differences}); give another"
            " directory, or the same settings to resume it."
        )
    return bool(differing)


def _has_grown(recorded: Any, requested: Any) -> bool:
    """Whether a number is larger, or a list or mapping has all that it had, and more."""
    if isinstance(recorded, list) and isinstance(requested, list):
        return all(item in requested for item in recorded)
    if isinstance(recorded, dict) and isinstance(requested, dict):
        return all(
            name in requested and requested[name] == value for name, value in recorded.items()
        )
    return isinstance(recorded, int) and isinstance(requested, int) and requested > recorded


def _difference(name: str, recorded: Mapping[str, Any], requested: Mapping[str, Any]) -> str:
    before = f"was {recorded[name]!r}" if name in recorded else "was not set"
    now = f"is now {requested[name]!r}" if name in requested else "is not set now"
    return f"{name} {before} and {now}"
