"""The configurations by mode and data set, with the paper's values; and the user's put over them.

A setting is a field of a frozen dataclass in `config/`; its metadata say what it may be. The
command line (`cli/flags.py`) makes one flag of each field, so a new setting is one line there.
"""

import dataclasses
import difflib
import re
from collections.abc import Mapping
from typing import Any

import tensorflow_datasets as tfds

from tf_darts.config import methods
from tf_darts.config.export import ExportConfig
from tf_darts.config.report import ReportConfig
from tf_darts.config.run import RunConfig
from tf_darts.config.search import (
    ConvolutionalSearchConfig,
    RecurrentSearchConfig,
    SearchConfig,
)
from tf_darts.config.setting import KINDS, check, fields
from tf_darts.config.study import BlackBoxConfig, SelectConfig, StudyConfig, TuneConfig
from tf_darts.config.testing import TrainingTestConfig
from tf_darts.config.training import ConvolutionalTrainingConfig, RecurrentTrainingConfig
from tf_darts.errors import UserError
from tf_darts.runtime.files import exists, expanded, is_directory, shown
from tf_darts.runtime.renamed_settings import rename_and_warn

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}

Config = RunConfig | StudyConfig | TrainingTestConfig | ReportConfig | ExportConfig

_CIFAR10 = ConvolutionalSearchConfig(
    dataset="cifar10",
    batch_size=64,
    evaluation_batch_size=256,
    weight_learning_rate=0.025,
    final_weight_learning_rate=0.001,
    momentum=0.9,
    weight_decay=3e-4,
    clip_norm=5.0,
    alpha_learning_rate=3e-4,
    alpha_beta_1=0.5,
)
_TRAIN_CIFAR10 = ConvolutionalTrainingConfig(dataset="cifar10")
# Digits are not the same in a mirror, and these are 8 pixels wide.
_DIGITS = {"dataset": "digits", "crop_padding": 1, "flip": False}
# The user's own classes may be of any size, small ones too.
_FOLDER = {"dataset": "folder", "division": "by_class"}

# The paper searches on ptb and cifar10, and trains on wikitext2 and imagenet2012 too; other texts
# and images take their settings.
PRESETS: Mapping[tuple[str, str], RunConfig] = {
    ("search", "ptb"): RecurrentSearchConfig(),
    ("search", "wikitext2"): RecurrentSearchConfig(dataset="wikitext2"),
    ("search", "pydoc"): RecurrentSearchConfig(dataset="pydoc"),
    ("search", "text"): RecurrentSearchConfig(dataset="text"),
    ("search", "cifar10"): _CIFAR10,
    ("search", "digits"): dataclasses.replace(_CIFAR10, **_DIGITS),
    ("search", "folder"): dataclasses.replace(_CIFAR10, **_FOLDER),
    ("train", "ptb"): RecurrentTrainingConfig(),
    ("train", "wikitext2"): RecurrentTrainingConfig(
        dataset="wikitext2", units=700, hidden_dropout=0.15, weight_decay=5e-7
    ),
    ("train", "pydoc"): RecurrentTrainingConfig(dataset="pydoc"),
    ("train", "text"): RecurrentTrainingConfig(dataset="text"),
    ("train", "cifar10"): _TRAIN_CIFAR10,
    # Too small for the auxiliary head, which needs 32 pixels, and for a square cut out.
    ("train", "digits"): dataclasses.replace(
        _TRAIN_CIFAR10, **_DIGITS, auxiliary_weight=0.0, cutout=0, validation_examples=300
    ),
    ("train", "folder"): dataclasses.replace(_TRAIN_CIFAR10, **_FOLDER),
    ("train", "imagenet2012"): ConvolutionalTrainingConfig(
        dataset="imagenet2012",
        epochs=250,
        batch_size=128,
        learning_rate=0.1,
        schedule="exponential",
        weight_decay=3e-5,
        network="imagenet",
        channels=48,
        layers=14,
        drop_path=0.0,
        label_smoothing=0.1,
        image_size=224,
        crop_padding=0,
        cutout=0,
        stream_images=True,
        random_resized_crop=True,
        color_jitter=0.4,
        hue_jitter=0.2,
    ),
}
# By mode, what the image classification sets of TensorFlow Datasets take that are not named above.
TFDS_PRESETS: Mapping[str, RunConfig] = {"search": _CIFAR10, "train": _TRAIN_CIFAR10}
# Modes whose own settings are the same for all data sets.
COMMON: Mapping[str, StudyConfig | TrainingTestConfig | ReportConfig | ExportConfig] = {
    "test": TrainingTestConfig(),
    "export": ExportConfig(),
    "report": ReportConfig(),
    "select": SelectConfig(),
    "black_box": BlackBoxConfig(),
    "tune": TuneConfig(),
}


def preset_for(mode: str, dataset: str) -> RunConfig:
    """The settings that a known data set takes in a mode that learns from one."""
    if (mode, dataset) in PRESETS:
        return PRESETS[mode, dataset]
    return dataclasses.replace(TFDS_PRESETS[mode], dataset=dataset)


def settings() -> dict[str, dataclasses.Field]:
    """Every setting of any configuration by name."""
    by_name = {}
    for preset in (*PRESETS.values(), *COMMON.values()):
        by_name |= fields(preset)
    return methods.part_settings() | by_name


def legacy_settings() -> dict[str, Any]:
    """Settings that older versions did not have, with the values by which their runs went."""
    values = {name: field.metadata["legacy"] for name, field in settings().items()}
    return {name: value for name, value in values.items() if value is not None}


def modes() -> list[str]:
    """What `--mode` may be."""
    return sorted({*(mode for mode, _ in PRESETS), *COMMON})


def _preset(overrides: Mapping[str, Any]) -> Config:
    """The settings that a data set and a method take; raises `UserError` where one is not known."""
    mode, dataset = overrides["mode"], overrides.get("dataset")
    preset = _preset_of_data(mode, dataset, overrides.get("data_dir") or "")
    return preset.composed(overrides) if isinstance(preset, SearchConfig) else preset


def _preset_of_data(mode: str, dataset: str | None, data_dir: str) -> Config:
    """The settings that a data set takes; raises `UserError` where it is not known."""
    if mode in COMMON:
        return COMMON[mode]
    if (mode, dataset) in PRESETS:
        return preset_for(mode, dataset)
    datasets = [name for preset_mode, name in PRESETS if preset_mode == mode]
    choices = (
        f"with --mode={mode} use one of {', '.join(datasets)}, or an image classification set of"
        " TensorFlow Datasets."
    )
    if not dataset:
        raise UserError(f"no --dataset given; {choices}")
    # Name, configuration and version; a set may also be only in the user's directory.
    name = re.split("[/:]", dataset)[0]
    published = tfds.list_builders()
    if name in published or (data_dir and name and is_directory(expanded(data_dir) / name)):
        return preset_for(mode, dataset)
    near = difflib.get_close_matches(dataset, sorted({*datasets, *published}))
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    raise UserError(f"--dataset={shown(dataset)}: not known{hint}; {choices}")


def _owner(name: str) -> str | None:
    """What a flag is for that means nothing here."""
    presets = (*PRESETS.values(), *COMMON.values())
    kinds = {preset.purpose for preset in presets if name in fields(preset)}
    return " and ".join([*sorted(kinds), *methods.owners(name)]) or None


def configure(overrides: Mapping[str, Any]) -> Config:
    """The preset of `overrides["mode"]` and `overrides["dataset"]`, with the rest put over it.

    Args:
      overrides: the settings given by name, `mode` and `dataset` among them.

    Raises:
      UserError: a name or value that is not allowed; the sentence lists what is.
    """
    overrides = rename_and_warn(overrides)
    mode, dataset = overrides.get("mode"), overrides.get("dataset")
    if mode not in modes():
        problem = f"--mode={shown(mode)}: not known" if mode else "no --mode given"
        raise UserError(f"{problem}; use one of {', '.join(modes())}.")
    for name in ("dataset", "data_dir"):
        if overrides.get(name) is not None:
            check(settings()[name], overrides[name])
    preset = _preset(overrides)
    allowed = fields(preset)
    for name, value in overrides.items():
        if name not in allowed:
            owner = f"; it is for {_owner(name)}" if _owner(name) else ""
            scope = f"--mode={mode}" + (
                f" --dataset={shown(dataset)}" if mode not in COMMON else ""
            )
            flag = shown(name)
            raise UserError(f"--{flag} has no meaning for {scope}{owner}; leave it out.")
        check(allowed[name], value)
    config = dataclasses.replace(preset, **overrides).validated(overrides, preset)
    _check_directories(config)
    return config


def _check_directories(config: Config) -> None:
    """Raises `UserError` where the path of a directory cannot be one."""
    for name in ("data_dir", "run_dir", "export_dir", "report_dir"):
        value = getattr(config, name, "")
        several = isinstance(config, ReportConfig) and name == "run_dir"
        for path in config.run_dirs if several else [value] * bool(value):
            try:
                directory = expanded(path)
                is_file = exists(directory) and not is_directory(directory)
            except UserError as error:
                raise UserError(f"--{name}: {error}") from error
            if is_file:
                raise UserError(
                    f"--{name}={shown(path)}: a file is there, and a directory is wanted; give"
                    " another path."
                )


def configure_texts(base: Mapping[str, Any], texts: Mapping[str, str], flag: str) -> Config:
    """`configure(base)` with further settings as texts, as they stand in `--flag=NAME=VALUE,...`.

    Raises:
      UserError: as `configure`, or a text is no value of its setting; the sentence names the flag.
    """
    texts, values = rename_and_warn(texts, flag), {}
    try:
        preset = fields(_preset({**texts, **base}))
    except UserError as error:
        raise UserError(f"--{flag}: {error}") from error
    for name, text in texts.items():
        if name in base:
            raise UserError(f"--{flag}: {shown(name)} is decided by the study; leave it out there.")
        kind = preset[name].type if name in preset else str
        try:
            values[name] = _BOOLEANS[text.lower()] if kind is bool else kind(text)
        except (ValueError, KeyError):
            raise UserError(
                f"--{flag}: {shown(name)}={shown(text)} is not {KINDS[kind]}."
            ) from None
    try:
        return configure({**base, **values})
    except UserError as error:
        raise UserError(f"--{flag}: {error}") from error


def computed_settings(config: RunConfig) -> dict[str, Any]:
    """The settings that decide what a run computes, as JSON types: a resumed run shares them.

    `accelerate` is among them where it is "off": it changes how numbers are rounded. Runs from
    before there was the setting are as with "auto".
    """
    computed = config.recorded(
        {
            name: getattr(config, name)
            for name, field in fields(config).items()
            if not field.metadata["operational"]
        }
    )
    if computed["accelerate"] == "auto":
        del computed["accelerate"]
    return computed
