"""A setting: a field of a frozen dataclass, whose metadata say what it may be."""

import dataclasses
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from tf_darts.errors import UserError, did_you_mean
from tf_darts.runtime.files import shown

# More than any run can want, and no more than counters hold.
MOST_STEPS = 10**9
MOST_EXAMPLES = 2**31 - 1

# What settings are about, in the order of `--help`: the title of each group. A setting without one
# is its owner's: the networks of a space have it, or a part of a method.
GROUPS = {
    "run": "The run",
    "data": "The data",
    "space": "The space and its networks",
    "method": "The method and its parts",
    "learning": "Epochs and steps",
    "search": "The learning rates of a search",
    "training": "The training of a network",
    "study": "The study and its candidates",
    "table": "Scores that are looked up",
    "export": "The export",
    "report": "The report",
    "devices": "Devices and arithmetic",
    "state": "Checkpoints and recovery",
}
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def setting(
    default: Any,
    help: str,
    *,
    group: str = "",
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
    above: float | None = None,
    choices: Collection[str] | None = None,
    operational: bool = False,
    legacy: Any = None,
) -> Any:
    """A field of a configuration.

    Args:
      default: its value in the preset.
      help: a sentence or two for `--help`: with a subject, a verb and a full stop.
      group: one of `GROUPS`; "" for what a space or a part of a method has of its own.
      unit: what is counted or measured, in the plural: "epochs"; "" where it has none.
      minimum: the smallest value allowed.
      maximum: the largest value allowed: far beyond what is of use, and within what the machine's
        numbers hold.
      below: values must be smaller than this.
      above: values must be larger than this.
      choices: the only values allowed, when a value is checked; a registry may grow until then.
      operational: it changes how a run goes about its work, not what it computes, so a run may
        be resumed with another value.
      legacy: of a setting that older versions did not have, the value by which their runs went;
        None where they had it.
    """
    metadata = {
        "help": help,
        "group": group,
        "unit": unit,
        "minimum": minimum,
        "maximum": maximum,
        "below": below,
        "above": above,
        "choices": choices,
        "operational": operational,
        "legacy": legacy,
    }
    return dataclasses.field(default=default, metadata=metadata)


def operations_setting() -> Any:
    """The field of searches and of studies."""
    return setting(
        "",
        "The edges have these candidates: operations with commas, or the name of a list that the"
        " space has (s1 to s4 in the convolutional one); where none are named, they are all of the"
        " space.",
        group="space",
    )


def again(base: type, name: str, default: Any) -> Any:
    """The setting of a base class, with another default."""
    return dataclasses.field(default=default, metadata=fields(base)[name].metadata)


def rate(default: float, help: str) -> Any:
    """A probability of dropping."""
    return setting(default, help, minimum=0.0, below=1.0)


def fields(config: Any) -> dict[str, dataclasses.Field]:
    """The settings of a configuration (or of its class) by name."""
    return {field.name: field for field in dataclasses.fields(config)}


def check(field: dataclasses.Field, value: Any) -> None:
    """Raises `UserError` where type or metadata do not allow the value."""
    kind = int | float if field.type is float else field.type
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        raise UserError(f"--{field.name}={shown(_repr(value))}: it must be {KINDS[field.type]}.")
    allowed = field.metadata
    if allowed["choices"]:
        check_choice(field.name, value, allowed["choices"])
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    bounds = [
        (allowed["minimum"], "at least", lambda v, b: v >= b),
        (allowed["above"], "more than", lambda v, b: v > b),
        (allowed["below"], "less than", lambda v, b: v < b),
    ]
    if allowed["maximum"] is not None and math.inf > value > allowed["maximum"]:
        bounds.append((allowed["maximum"], "at most", lambda v, b: v <= b))
    bounds = [bound for bound in bounds if bound[0] is not None]
    finite = not isinstance(value, float) or math.isfinite(value)
    if not (finite and all(holds(value, bound) for bound, _, holds in bounds)):
        words = " and ".join(f"{text} {_written(bound)}" for bound, text, _ in bounds)
        if not finite:
            words = f"a finite number {words}".rstrip()
        raise UserError(f"--{field.name}={shown(value)}: out of range; it must be {words}.")


def check_choice(flag: str, value: Any, choices: Collection[str]) -> None:
    """Raises `UserError` where a value is none of the choices; a file may register `Members`."""
    if value in choices:
        return
    hint = did_you_mean(value, choices)
    load = ", or add --load=FILE.py with the file that registers it"
    raise UserError(
        f"--{flag}={shown(value)}: not known{hint}; use one of {', '.join(choices)}"
        f"{load if isinstance(choices, Members) else ''}."
    )


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # of a class that is not ours
        return type(value).__name__


def _written(bound: float) -> str:
    """A bound as it may be typed: a whole number has all its digits."""
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


class Members(Collection[str]):
    """The names in a registry, looked up when they are wanted: it may grow until then."""

    def __init__(self, registry: Callable[[], Mapping[str, Any]]) -> None:
        self._registry = registry

    def __contains__(self, name: object) -> bool:
        return name in self._registry()

    def __iter__(self) -> Iterator[str]:
        return iter(self._registry())

    def __len__(self) -> int:
        return len(self._registry())
