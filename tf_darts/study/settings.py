"""The settings of a study's searches and trainings, and what of them is tuned."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras_tuner

from tf_darts.config.presets import computed_settings, configure, configure_texts
from tf_darts.config.search import SearchConfig
from tf_darts.config.setting import check, fields
from tf_darts.config.study import SelectConfig, StudyConfig, TuneConfig
from tf_darts.config.training import TrainingConfig
from tf_darts.errors import UserError

_LATER = "(the candidate's)"  # the genotype of a training whose cell is not known yet


def parse_assignments(text: str, flag: str) -> dict[str, str]:
    """The names and values of "NAME=VALUE,NAME=VALUE"; raises `UserError`."""
    pairs: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and value):
            raise UserError(f"--{flag}: {part!r} is not of the form NAME=VALUE; write it so.")
        if name in pairs:
            raise UserError(f"--{flag}: {name} is given twice; give it once.")
        pairs[name] = value
    return pairs


def _base(config: StudyConfig, mode: str) -> dict[str, Any]:
    """What a study decides for its runs; it replaces directories and seeds later."""
    shared = ("dataset", "space", "data_dir", "run_dir", "seed", "precision", "deterministic")
    return {"mode": mode} | {name: getattr(config, name) for name in shared}


def search_config(
    config: SelectConfig | TuneConfig, *, lenient: bool = False, **more: str
) -> SearchConfig:
    """The configuration of a study's searches; raises `UserError`.

    Args:
      config: the study's.
      lenient: leaves out settings that mean nothing for searches of this kind: one text is for
        several kinds then.
      more: further settings as texts, which make the kind; the study's text may not have them.
    """
    texts = parse_assignments(config.search_settings, "search_settings")
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
    return configure_texts(base, texts | more, "search_settings")


def training_config(config: StudyConfig) -> TrainingConfig:
    """The configuration of a study's trainings; raises `UserError`."""
    base = _base(config, "train") | {"genotype": _LATER}
    cell = getattr(config, "genotype", "")
    if cell and not config.space:
        base["space"] = configure(base | {"genotype": cell}).space
    texts = parse_assignments(config.train_settings, "train_settings")
    trained = configure_texts(base, texts, "train_settings")
    if trained.train_on_all:
        raise UserError(
            "--train_settings: train_on_all has no validation part, by which candidates are ranked;"
            " leave it out there."
        )
    return trained


def run_settings(prefix: str, config: SearchConfig | TrainingConfig) -> dict[str, Any]:
    """The settings of a study's runs as settings of the study: "train.epochs" and so on."""
    return {f"{prefix}.{name}": value for name, value in computed_settings(config).items()}


class Tuned(NamedTuple):
    """A setting that trials choose.

    Attributes:
      part: "search" or "train", whose setting it is.
      field: its name.
      low, high: its bounds, both included.
      logarithmic: whether its logarithm is uniform.
      integer: whether it is a whole number.
    """

    part: str
    field: str
    low: float
    high: float
    logarithmic: bool
    integer: bool

    @property
    def name(self) -> str:
        """Of the hyperparameter."""
        return f"{self.part}.{self.field}"

    def value(self, hyperparameters: keras_tuner.HyperParameters) -> float | int:
        """The value in a trial; declares it where it is new."""
        sampling = "log" if self.logarithmic else "linear"
        kind = hyperparameters.Int if self.integer else hyperparameters.Float
        return kind(self.name, self.low, self.high, sampling=sampling)


def parse_tuned(text: str, configs: Mapping[str, SearchConfig | TrainingConfig]) -> list[Tuned]:
    """What `--tune` asks for.

    Args:
      text: "FIELD=LOW:HIGH[:log],..."; a FIELD of both parts is the training's, "search.FIELD" the
        search's.
      configs: by part, the configurations that have the fields.

    Raises:
      UserError: a field or a range that cannot be.
    """
    tuned = []
    for name, value in parse_assignments(text, "tune").items():
        prefix, dot, field = name.rpartition(".")
        parts = [prefix] if dot else [part for part in ("train", "search") if part in configs]
        owners = [part for part in parts if part in configs and field in fields(configs[part])]
        if not owners:
            purposes = " or ".join(configs[part].purpose for part in configs)
            raise UserError(
                f"--tune: {name} is no setting of {purposes}, which are tuned here; give one of"
                " theirs, as --help lists them."
            )
        setting = fields(configs[owners[0]])[field]
        tuned.append(_range(owners[0], setting, value))
    return tuned


def _range(part: str, setting: dataclasses.Field, text: str) -> Tuned:
    pieces = text.split(":")
    if setting.type not in (int, float) or setting.name == "seed":
        raise UserError(f"--tune: {setting.name} is no quantity that can be tuned; leave it out.")
    if len(pieces) not in (2, 3) or (len(pieces) == 3 and pieces[2] != "log"):
        raise UserError(
            f"--tune: {setting.name}={text} is no range; write {setting.name}=LOW:HIGH or"
            f" {setting.name}=LOW:HIGH:log."
        )
    try:
        low, high = (setting.type(piece) for piece in pieces[:2])
    except ValueError:
        kind = "whole numbers" if setting.type is int else "numbers"
        raise UserError(
            f"--tune: {setting.name}={text} has bounds that are no {kind}; give such ones."
        ) from None
    for bound in (low, high):
        try:
            check(setting, bound)
        except UserError as error:
            raise UserError(f"--tune: {error}") from error
    logarithmic = len(pieces) == 3
    if low >= high or (logarithmic and low <= 0):
        needs = "LOW below HIGH" + (" and above 0" if logarithmic else "")
        raise UserError(f"--tune: {setting.name}={text} is no range; it needs {needs}.")
    return Tuned(part, setting.name, low, high, logarithmic, setting.type is int)
