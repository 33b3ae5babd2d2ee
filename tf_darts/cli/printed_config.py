"""What `--print_config` prints: a run's configuration, as a flagfile that leads to it again."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tf_darts import __version__
from tf_darts.cli.flag_table import groups_of
from tf_darts.cli.help_page import written_flag
from tf_darts.config.methods import PAPERS
from tf_darts.config.presets import Config, configure, configure_current, unchecked
from tf_darts.config.run import RunConfig
from tf_darts.config.search import SearchConfig
from tf_darts.config.setting import fields
from tf_darts.config.study import SelectConfig, StudyConfig, TuneConfig
from tf_darts.errors import UserError
from tf_darts.runtime.renamed_settings import RENAMED, rename_settings
from tf_darts.study.candidates import select_candidates
from tf_darts.study.settings import training_config
from tf_darts.study.tuning import check_tuned, configs_of, parse_tuned


def printed_config(
    typed: Mapping[str, Any], sources: Mapping[str, str], loaded: Sequence[str] = ()
) -> str:
    """The flagfile; comments say where each value comes from.

    Args:
      typed: the settings on the command line.
      sources: by the names that were typed, what gave each its value.
      loaded: the flag that loads the members of others, which the values may name.

    Raises:
      UserError: the configuration is refused.
    """
    typed = {name: value for name, value in typed.items() if value is not None}
    config = configure(typed)
    if isinstance(config, TuneConfig):
        check_tuned(config, parse_tuned(config.tune, configs_of(config, {})))
    elif isinstance(config, StudyConfig):
        training = training_config(config)
        if isinstance(config, SelectConfig):
            select_candidates(config, training)
    current = rename_settings(typed)
    sources = {RENAMED.get(name, name): source for name, source in sources.items()}
    preset = unchecked({n: v for n, v in current.items() if n in _COMPOSING})
    own = f"The preset of {' '.join(_composition(config))} has"
    follows = "From the others follows"
    by_source: dict[str, list[str]] = {source: [] for source in sources.values()}
    by_source |= {own: [], follows: []}
    idle = []
    unused = config.unused if isinstance(config, SearchConfig) else {}
    for group in groups_of(config):
        for flag in (flag for shown in group.flags for flag in shown.all):
            value = getattr(config, flag.name)
            line = written_flag(flag.name, value)
            if flag.name in current and flag.name not in unused:
                by_source[sources[flag.name]].append(line)
            elif not _is_allowed(current, flag.name, value, config):
                idle.append(line)
            elif value == getattr(preset, flag.name):
                by_source[own].append(line)
            else:
                by_source[follows].append(line)
    lines = [f"# tf_darts {__version__}: the whole configuration; --flagfile=FILE reads it again."]
    if loaded:
        lines += ["", "# The members of these files are known:", *loaded]
    for source, flags in by_source.items():
        if flags:
            lines += ["", f"# {source}:", *flags]
    if idle:
        lines += ["", "# Without a meaning here, and refused where given, are"]
        lines += [f"# {line}" for line in idle]
    return "\n".join(lines)


# What a preset is made of.
_COMPOSING = {"mode", "dataset", "space", "method", "genotype", "data_dir", *PAPERS.parts}


def _composition(config: Config) -> Iterator[str]:
    """The flags that choose a preset."""
    yield f"--mode={config.mode}"
    if isinstance(config, RunConfig):
        yield f"--dataset={config.dataset}"
        yield f"--space={config.space}"
    if isinstance(config, SearchConfig):
        yield f"--method={config.method}"


def _is_allowed(typed: Mapping[str, Any], name: str, value: Any, config: Config) -> bool:
    """Whether a setting may be given beside the others, and changes nothing with its own value."""
    try:
        made = configure_current({**typed, name: value})
    except UserError:
        return False
    return all(getattr(made, field) == getattr(config, field) for field in fields(config))
