"""What a tuning tries: settings with ranges, and the runs of a trial."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tf_darts.config.search import SearchConfig
from tf_darts.config.setting import check, fields
from tf_darts.config.study import TuneConfig
from tf_darts.config.training import TrainingConfig
from tf_darts.errors import UserError
from tf_darts.study.settings import parse_assignments, search_config, training_config

if TYPE_CHECKING:  # it loads TensorFlow, which `--print_config` does without
    import keras_tuner

Configs = Mapping[str, SearchConfig | TrainingConfig]


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

    def value(self, hyperparameters: "keras_tuner.HyperParameters") -> float | int:
        """The value in a trial; declares it where it is new."""
        sampling = "log" if self.logarithmic else "linear"
        kind = hyperparameters.Int if self.integer else hyperparameters.Float
        value = kind(self.name, self.low, self.high, sampling=sampling)
        return int(value) if self.integer else float(value)


def parse_tuned(text: str, configs: Configs) -> list[Tuned]:
    """What `--tune` asks for.

    Args:
      text: "FIELD=LOW:HIGH[:log],..."; a FIELD of both parts is the training's, "search.FIELD" the
        search's.
      configs: by part, the configurations that have the fields.

    Raises:
      UserError: a field or a range that cannot be.
    """
    tuned: list[Tuned] = []
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
        made = _range(owners[0], setting, value)
        if made.name in (other.name for other in tuned):
            raise UserError(f"--tune: {made.name} is given twice; give it once.")
        tuned.append(made)
    return tuned


def configs_of(config: TuneConfig, values: Mapping[Tuned, float]) -> Configs:
    """By part, the runs of a trial, each as the command line would make it.

    Args:
      config: the study's.
      values: what the trial chose; none for the settings that it begins with.

    Raises:
      UserError: values that mean nothing there, or do not go together.
    """
    texts: dict[str, dict[str, str]] = {"train": {}, "search": {}}
    for setting, value in values.items():
        texts[setting.part][setting.field] = repr(value)
    flag = "tune" if values else "train_settings"
    configs: dict[str, SearchConfig | TrainingConfig] = {
        "train": training_config(config, texts["train"], flag)
    }
    if not config.genotype:
        flag = "tune" if values else "search_settings"
        configs["search"] = search_config(config, texts["search"], flag=flag)
    return configs


def check_tuned(config: TuneConfig, tuned: Sequence[Tuned]) -> None:
    """Raises `UserError` where a setting cannot be tuned here, or no trial could have a bound."""
    for part in ("train", "search"):
        given = parse_assignments(getattr(config, f"{part}_settings"), f"{part}_settings")
        for setting in tuned:
            if setting.part == part and setting.field in given:
                raise UserError(
                    f"--tune: {setting.field} has a value in --{part}_settings; leave it out there."
                )
    if config.tuner == "hyperband" and any(setting.name == "train.epochs" for setting in tuned):
        raise UserError(
            "--tune: epochs are chosen by --tuner=hyperband itself; leave them out, and give the"
            " most as --train_settings=epochs=N."
        )
    ends = [{s: s.low for s in tuned}, {s: s.high for s in tuned}]
    for setting in tuned:
        for bound in (setting.low, setting.high):
            refusals = [refusal(config, others | {setting: bound}) for others in ends]
            if all(refusals):
                raise UserError(refusals[0])


def refusal(config: TuneConfig, values: Mapping[Tuned, float]) -> str:
    """Why a trial cannot have these values; "" where it can."""
    try:
        configs_of(config, values)
    except UserError as error:
        return str(error)
    return ""


def _range(part: str, setting: dataclasses.Field, text: str) -> Tuned:
    pieces = text.split(":")
    if setting.type not in (int, float) or setting.name == "seed":
        raise UserError(f"--tune: {setting.name} is no quantity that can be tuned; leave it out.")
    if setting.metadata["operational"]:
        raise UserError(f"--tune: {setting.name} changes nothing that is computed; leave it out.")
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
