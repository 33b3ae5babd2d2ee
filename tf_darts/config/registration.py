"""Whether parts and methods can be what they say, looked at where they are registered."""

import dataclasses
import inspect
from collections.abc import Collection, Mapping
from typing import Any

from tf_darts.config.setting import KINDS as TYPES
from tf_darts.config.setting import Members, check
from tf_darts.errors import UserError, did_you_mean
from tf_darts.runtime.files import shown


def check_free(flag: str, name: Any, members: Collection[str]) -> None:
    """Raises `UserError` where a member cannot have a name, or another has it already."""
    if not isinstance(name, str) or not name.isidentifier():
        raise UserError(f"{flag}={shown(name)}: a name is letters, digits and _; choose such one.")
    if name in members:
        raise UserError(f"{flag}={name}: the name is taken; choose another.")


def check_default(cls: type, field: dataclasses.Field) -> None:
    """Raises `UserError` where no flag can be of a setting's type, or its default cannot be."""
    where = f"{cls.__name__}.{field.name}"
    if any(callable(vars(base).get(field.name)) for base in cls.__mro__[1:]):
        raise UserError(f"{where}: its door has a method of that name; give the setting another.")
    if field.type not in TYPES:
        named = getattr(field.type, "__name__", field.type)
        types = ", ".join(kind.__name__ for kind in TYPES)
        raise UserError(f"{where}: no flag is a {named}; make the setting one of {types}.")
    if isinstance(field.metadata["choices"], Members):
        return  # they may be registered later
    try:
        check(field, field.default)
    except UserError as error:
        raise UserError(f"{where}: its default is refused ({str(error).rstrip('.')}).") from error


def check_spelling(cls: type) -> None:
    """Raises `UserError` where a method's name is near to one of the door's that is not given.

    And where a part gives none of the door's methods, but others: the door's own would be called in
    their place, and the part would say nothing, in silence.
    """
    door = next(base for base in cls.__mro__ if "kind" in vars(base))
    named = [n for n, value in vars(door).items() if inspect.isfunction(value) and n[0] != "_"]
    left = [name for name in named if getattr(cls, name) is getattr(door, name)]
    public = [n for n, value in vars(cls).items() if inspect.isfunction(value) and n[0] != "_"]
    for name in (name for name in public if not hasattr(door, name)):
        hint = did_you_mean(name, left, 1, 0.8)
        if not hint and left == named:
            hint = f", and it has none of {', '.join(named)}"
        if hint:
            raise UserError(
                f"{cls.__name__}: nothing calls its {name}{hint}; rename it, as _{name}"
                " where it is a helper of the class itself."
            )


def check_composition(
    name: str, composition: Mapping[str, Any], known: Collection[str], several: Collection[str]
) -> None:
    """Raises `UserError` where what a method is made of is of another kind than it must be.

    Args:
      name: of the method.
      composition: as it was given.
      known: the names of what a method is made of.
      several: those of parts of which there may be several.
    """
    for key, value in composition.items():
        if key not in known:
            hint = did_you_mean(key, known)
            raise UserError(
                f"--method={name}: {shown(key)} is nothing that a method is made of{hint}; use"
                f" {', '.join(sorted(known))}."
            )
        kind = str if key in ("relaxation", "derivation", "hypergradient", "step") else None
        kind = tuple if key in several else kind
        kind = Mapping if key in ("settings", "factors", "by_space") else kind
        if kind is not None and not isinstance(value, kind):
            wanted = {str: "a text", tuple: 'a tuple of names, as ("warm_up",)', Mapping: "a dict"}
            raise UserError(f"--method={name}: its {key} is {shown(value)}, not {wanted[kind]}.")
