"""absl flags made from the configurations' fields."""

from absl import flags

from tf_darts import config
from tf_darts.config import SearchConfig

_DEFINE = {
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
    bool: flags.DEFINE_boolean,
}


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines one flag for each setting of any configuration, unset by default.

    Unset flags leave the preset's value, so `--help` names none.
    """
    settings = {}
    for preset in config.PRESETS.values():
        settings |= config.fields(preset)
    for name, field in settings.items():
        about = field.metadata["help"]
        if field.metadata["choices"]:
            about += f"; one of {', '.join(field.metadata['choices'])}"
        _DEFINE[field.type](name, None, about, flag_values=flag_values)
    for name, owner in config.ELSEWHERE.items():
        flags.DEFINE_string(name, None, f"for {owner}", flag_values=flag_values)


def config_from_flags(flag_values: flags.FlagValues = flags.FLAGS) -> SearchConfig:
    """The configuration that the given flags ask for; raises `UserError`."""
    names = set(config.ELSEWHERE)
    for preset in config.PRESETS.values():
        names |= set(config.fields(preset))
    given = {name: flag_values[name].value for name in sorted(names)}
    return config.configure({name: value for name, value in given.items() if value is not None})
