"""What a method is composed of becomes the settings of a search."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import TypeVar

from tf_darts.cells.space import spaces
from tf_darts.config import methods
from tf_darts.config.hypergradients import check_known
from tf_darts.config.setting import check, fields
from tf_darts.errors import UserError, did_you_mean

_Config = TypeVar("_Config")


def check_settings(method: methods.Method, own: Mapping[str, dataclasses.Field]) -> None:
    """Raises `UserError` where a method's settings, in this space, are none of a search.

    Args:
      method: as it is in the space (`Method.of_space`).
      own: the settings of a search in that space, by name.
    """
    subject = f"--method={method.name}"
    check_known(method.hypergradient, subject)
    for space in method.by_space:
        if space not in spaces():
            hint = did_you_mean(space, spaces())
            raise UserError(f"{subject}: its by_space has {space!r}, which is no space{hint}.")
    known: dict[str, dataclasses.Field] = {}
    for each in spaces().values():
        known |= fields(each.search)
    known |= methods.part_settings() | own
    for name, value in method.settings.items():
        if name not in known:
            hint = did_you_mean(name, known)
            raise UserError(f"{subject}: its setting {name!r} is none of a search{hint}.")
        try:
            check(known[name], value)
        except UserError as error:
            raise UserError(f"{subject}, of its settings: {error}") from error


@functools.cache
def with_settings_of(config: type[_Config], parts: tuple[type[methods.Part], ...]) -> type[_Config]:
    """The class of a configuration with the settings of some parts as further fields."""
    own = {field.name for field in dataclasses.fields(config)}
    more = {}
    for part in parts:
        for name, field in fields(part).items():
            if name in own:
                raise UserError(
                    f"--{part.kind}={part.name}: its setting {name} is one that every search has;"
                    " give it another name."
                )
            setting_of_part = dataclasses.field(default=field.default, metadata=field.metadata)
            more[name] = (name, field.type, setting_of_part)
    if not more:
        return config
    made = dataclasses.make_dataclass(
        config.__name__, more.values(), bases=(config,), frozen=True, kw_only=True
    )
    made.__module__ = config.__module__
    return made
