"""absl flags made from the configurations' fields."""

from typing import Any

from absl import flags

from tf_darts.cli import members
from tf_darts.config import presets as config
from tf_darts.runtime.renamed_settings import RENAMED

_DEFINE = {
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
    bool: flags.DEFINE_boolean,
}


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines one flag for each setting of any configuration, unset by default.

    Unset flags leave the preset's value, which `--help` finds by itself (`cli/help_page.py`).
    """
    for name, field in config.settings().items():
        _DEFINE[field.type](name, None, field.metadata["help"], flag_values=flag_values)
    flags.DEFINE_multi_string("load", None, members.HELP, flag_values=flag_values)
    for old, new in RENAMED.items():
        kind = config.settings()[new].type
        _DEFINE[kind](old, None, f"the old name of --{new}", flag_values=flag_values)


def loaded(flag_values: flags.FlagValues = flags.FLAGS) -> list[str]:
    """The flag with which another command loads the same members: one, or none."""
    words = ("load" in flag_values and flag_values["load"].value) or []
    return [f"--load={','.join(words)}"] if words else []


def config_from_flags(flag_values: flags.FlagValues = flags.FLAGS) -> config.Config:
    """The configuration that the given flags ask for; raises `UserError`."""
    return config.configure(typed_settings(flag_values))


def typed_settings(flag_values: flags.FlagValues = flags.FLAGS) -> dict[str, Any]:
    """The settings that the command line gives, by the names that were typed."""
    names = sorted({*config.settings(), *RENAMED})
    values = {name: flag_values[name].value for name in names}
    return {name: value for name, value in values.items() if value is not None}
