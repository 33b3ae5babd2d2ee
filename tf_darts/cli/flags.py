"""absl flags made from the configurations' fields."""

from absl import flags

from tf_darts.cli import members
from tf_darts.config import methods
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

    Unset flags leave the preset's value, so `--help` names none.
    """
    for name, field in config.settings().items():
        about = field.metadata["help"]
        choices = config.modes() if name == "mode" else field.metadata["choices"]
        registered = methods.methods() if name == "method" else {}
        registered = methods.parts(name) if name in methods.KINDS else registered
        if registered:
            choices = [f"{member} ({registered[member].about})" for member in registered]
        if choices:
            about += f"; one of {', '.join(choices)}"
        _DEFINE[field.type](name, None, about, flag_values=flag_values)
    flags.DEFINE_string("load", None, members.HELP, flag_values=flag_values)
    for old, new in RENAMED.items():
        kind = config.settings()[new].type
        _DEFINE[kind](old, None, f"the old name of --{new}", flag_values=flag_values)


def config_from_flags(flag_values: flags.FlagValues = flags.FLAGS) -> config.Config:
    """The configuration that the given flags ask for; raises `UserError`."""
    names = sorted({*config.settings(), *RENAMED})
    values = {name: flag_values[name].value for name in names}
    return config.configure({name: value for name, value in values.items() if value is not None})
