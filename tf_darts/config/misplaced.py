"""What is said of a setting that a command does not have, and of where it belongs."""

from collections.abc import Iterable, Mapping
from typing import Any

from tf_darts.config import methods
from tf_darts.config.setting import fields
from tf_darts.errors import UserError, did_you_mean, enumerated
from tf_darts.runtime.files import shown

# What a study decides for its runs.
_DECIDED = ("genotype", "train_on_all")


def misplaced(
    name: str,
    value: Any,
    scope: str,
    preset: Any,
    presets: Iterable[Any],
    of_runs: Mapping[str, Any],
) -> UserError:
    """The refusal of a setting that a preset has not.

    Args:
      name: of the setting.
      value: that was given.
      scope: the flags that make the preset what it is.
      preset: the settings of the command.
      presets: those of all commands.
      of_runs: those of a study's runs, by the study's setting that they are put into.
    """
    allowed, flag = fields(preset), shown(name)
    owner = _owner(name, {each.purpose for each in presets if name in fields(each)})
    if owner is None:
        near = did_you_mean(name, allowed)
        return UserError(f"--{flag} is no setting{near}; {scope} --help lists them.")
    text = str(value).lower() if isinstance(value, bool) else shown(value)
    places = [
        f"--{place}"
        for place, settings in of_runs.items()
        if place in allowed and name not in _DECIDED
        if name in fields(settings) or (place == "search_settings" and methods.owners(name))
    ]
    way = f"put {flag}={text} into {' or '.join(places)}" if places else "leave it out"
    if name in ("method", "hypergradient", "genotype") and "candidates" in allowed:
        way = f"name {text} among the --candidates"
    return UserError(f"--{flag} has no meaning for {scope}; it is for {owner}; {way}.")


def _owner(name: str, kinds: set[str]) -> str | None:
    """What a setting is for, of the purposes of the commands that have it; None for nothing."""
    for both in ("searches", "trainings"):  # on whatever data, where on images and on texts
        if {f"{both} on images", f"{both} on texts"} <= kinds:
            kinds = {kind for kind in kinds if not kind.startswith(both)} | {both}
    return enumerated([*sorted(kinds), *methods.owners(name)]) or None
