"""The settings of a study's searches and trainings."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from tf_darts.config import methods
from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.config.presets import computed_settings, configure, configure_texts, settings
from tf_darts.config.search import SearchConfig
from tf_darts.config.setting import fields
from tf_darts.config.study import SelectConfig, StudyConfig, TuneConfig
from tf_darts.config.training import TrainingConfig
from tf_darts.errors import UserError

_LATER = "(the candidate's)"  # the genotype of a training whose cell is not known yet


def parse_assignments(text: str, flag: str) -> dict[str, str]:
    """The names and values of "NAME=VALUE,NAME=VALUE"; raises `UserError`.

    A setting that is a text may have commas itself, as `rules` has: "rules=A,B,epochs=3". It may
    also be empty, as on the command line: "rules=" is a method without its rules.
    """
    pairs: dict[str, str] = {}
    name, texts = "", {n for n, setting in settings().items() if setting.type is str}
    for part in filter(None, (part.strip() for part in text.split(","))):
        if "=" not in part and name in texts:
            pairs[name] = ",".join(filter(None, (pairs[name], part)))
            continue
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and (value or name in texts)):
            raise UserError(f"--{flag}: {part!r} is not of the form NAME=VALUE; write it so.")
        if name in pairs:
            raise UserError(f"--{flag}: {name} is given twice; give it once.")
        pairs[name] = value
    return pairs


def _base(config: StudyConfig, mode: str) -> dict[str, Any]:
    """What a study decides for its runs; it replaces directories and seeds later."""
    shared = ("dataset", "space", "data_dir", "run_dir", "seed", "precision", "deterministic")
    return {"mode": mode} | {name: getattr(config, name) for name in shared}


def search_sources() -> dict[str, dict[str, str]]:
    """By source of candidates, what its searches have beside `--search_settings`."""
    return {
        "search": {},
        # The paper's method by its estimate.
        **{name: {"hypergradient": name} for name in HYPERGRADIENTS},
        **{name: {"method": name} for name in methods.methods()},
    }


def sources_of(config: SelectConfig) -> list[str]:
    """The parts of `--candidates`."""
    return [part.strip() for part in config.candidates.split(",") if part.strip()]


def search_configs(config: SelectConfig) -> dict[str, SearchConfig]:
    """By source, the configuration of a selection's searches; raises `UserError`."""
    kinds = search_sources()
    searched = dict.fromkeys(source for source in sources_of(config) if source in kinds)
    several = len(searched) > 1
    return {source: search_config(config, kinds[source], lenient=several) for source in searched}


def search_config(
    config: SelectConfig | TuneConfig,
    more: Mapping[str, str] = MappingProxyType({}),
    *,
    lenient: bool = False,
    flag: str = "search_settings",
) -> SearchConfig:
    """The configuration of a study's searches; raises `UserError`.

    Args:
      config: the study's.
      more: further settings as texts, which make the kind; the study's text may not have them.
      lenient: leaves out settings that mean nothing for searches of this kind: one text is for
        several kinds then.
      flag: what a refusal is of.
    """
    texts = parse_assignments(config.search_settings, "search_settings")
    if "operations" in texts:
        raise UserError(
            "--search_settings: operations is decided by the study, so that random cells have them"
            f" too; leave it out there, and give --operations={texts['operations']}."
        )
    for name in more.keys() & texts.keys():
        raise UserError(
            f"--search_settings: {name} is decided by the kind of the candidates; leave it out"
            " there."
        )
    base = _base(config, "search")
    if config.operations:
        base["operations"] = config.operations
    if getattr(config, "table", ""):
        base["table"] = config.table
    if lenient:
        unused = configure_texts(base, more, "search_settings").unused
        texts = {name: text for name, text in texts.items() if name not in unused}
    return configure_texts(base, {**texts, **more}, flag)


def training_config(
    config: StudyConfig,
    more: Mapping[str, str] = MappingProxyType({}),
    flag: str = "train_settings",
) -> TrainingConfig:
    """The configuration of a study's trainings; raises `UserError`.

    Args:
      config: the study's.
      more: further settings as texts.
      flag: what a refusal is of.
    """
    base = _base(config, "train") | {"genotype": _LATER}
    cell = getattr(config, "genotype", "")
    if cell and not config.space:
        base["space"] = configure(base | {"genotype": cell}).space
    texts = {**parse_assignments(config.train_settings, "train_settings"), **more}
    trained = configure_texts(base, texts, flag)
    if trained.train_on_all:
        raise UserError(
            "--train_settings: train_on_all has no validation part, by which candidates are ranked;"
            " leave it out there."
        )
    return trained


@contextlib.contextmanager
def naming(flag: str, config: StudyConfig) -> Iterator[None]:
    """Within it a refusal that advises on settings of a study's runs begins with the study's flag.

    Args:
      flag: the study's, which changes settings of such runs.
      config: the study's; what it has as flags itself needs no other.
    """
    try:
        yield
    except UserError as error:
        named = re.findall(r"--(\w+)", str(error))
        if all(name in fields(config) for name in named):
            raise
        raise UserError(f"--{flag}: {error}") from error


def run_settings(prefix: str, config: SearchConfig | TrainingConfig) -> dict[str, Any]:
    """The settings of a study's runs as settings of the study: "train.epochs" and so on."""
    return {f"{prefix}.{name}": value for name, value in computed_settings(config).items()}
