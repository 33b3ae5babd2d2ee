"""What the user gives, put over the settings of mode, data set, space (`layers.py`) and method.

A setting is a field of a frozen dataclass in `config/`; its metadata say what it may be. The
command line (`cli/flags.py`) makes one flag of each field, so a new setting is one line there.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow_datasets as tfds

from tf_darts.cells import references
from tf_darts.cells.published import published_cells
from tf_darts.cells.space import find_space, spaces
from tf_darts.config import methods
from tf_darts.config.export import ExportConfig
from tf_darts.config.layers import LAYERS, kind_of, preset_for, usual_space
from tf_darts.config.misplaced import misplaced
from tf_darts.config.report import ReportConfig
from tf_darts.config.run import RunConfig
from tf_darts.config.search import SearchConfig
from tf_darts.config.setting import KINDS, check, check_choice, fields
from tf_darts.config.study import BlackBoxConfig, SelectConfig, StudyConfig, TuneConfig
from tf_darts.config.table import check_has_tables
from tf_darts.config.testing import TrainingTestConfig
from tf_darts.errors import UserError, did_you_mean
from tf_darts.runtime import start_up
from tf_darts.runtime.files import exists, expanded, is_directory, shown
from tf_darts.runtime.renamed_settings import rename_and_warn

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}

Config = RunConfig | StudyConfig | TrainingTestConfig | ReportConfig | ExportConfig

# By mode and data set, in the usual space.
PRESETS: dict[tuple[str, str], RunConfig] = {
    (mode, dataset): preset_for(mode, dataset)
    for layers in LAYERS.values()
    for mode, dataset in layers
}
# Modes whose own settings are the same for all data sets.
COMMON: Mapping[str, StudyConfig | TrainingTestConfig | ReportConfig | ExportConfig] = {
    "test": TrainingTestConfig(),
    "export": ExportConfig(),
    "report": ReportConfig(),
    "select": SelectConfig(),
    "black_box": BlackBoxConfig(),
    "tune": TuneConfig(),
}


def settings() -> dict[str, dataclasses.Field]:
    """Every setting of any configuration by name."""
    by_name = {}
    for preset in _all_presets():
        by_name |= fields(preset)
    return methods.part_settings() | by_name


def _all_presets() -> Iterator[Config]:
    """The settings of every space, and of the modes that have no space."""
    for space in spaces().values():
        yield from (space.search, space.training)
    yield from COMMON.values()


def legacy_settings() -> dict[str, Any]:
    """Settings that older versions did not have, with the values by which their runs went."""
    values = {name: field.metadata["legacy"] for name, field in settings().items()}
    return {name: value for name, value in values.items() if value is not None}


def modes() -> list[str]:
    """What `--mode` may be."""
    return sorted({*(mode for mode, _ in PRESETS), *COMMON})


def _preset(overrides: Mapping[str, Any]) -> Config:
    """The settings that mode, data set, space and method take; raises `UserError`."""
    preset = _preset_of_data(overrides)
    return preset.composed(overrides) if isinstance(preset, SearchConfig) else preset


def _preset_of_data(overrides: Mapping[str, Any]) -> Config:
    mode, dataset = overrides["mode"], overrides.get("dataset")
    if mode in COMMON:
        return COMMON[mode]
    _check_dataset(mode, dataset, overrides.get("data_dir", ""))
    kind, space = kind_of(dataset), overrides.get("space", "")
    if space:
        check_fits(space, dataset)
    elif mode == "train":
        space = _space_of_cell(overrides.get("genotype", ""), kind)
    return preset_for(mode, dataset, space)


def check_fits(space: str, dataset: str) -> None:
    """Raises `UserError` where there is no such space, or it is not for a data set's kind."""
    try:
        record = find_space(space)
    except UserError as error:
        raise UserError(f"--space: {error}") from error
    kind = kind_of(dataset)
    if record.data != kind:
        fitting = ", ".join(name for name, other in spaces().items() if other.data == kind)
        raise UserError(
            f"--space={space}: is for {record.data}, and --dataset={shown(dataset)} is of {kind};"
            f" use one of {fitting}."
        )


def _space_of_cell(reference: Any, kind: str) -> str:
    """The space of the cell that a training is given, where its data fit; "" elsewhere.

    What is no cell, whoever trains it says; what is no text, the check of the settings.
    """
    if not isinstance(reference, str):
        return ""
    fitting = [name for name, space in spaces().items() if space.data == kind]
    for name in fitting:
        if reference in published_cells(name):
            return name
    try:
        space = references.read(reference).space
    except UserError:
        return ""
    return space if space in fitting else ""


def _check_space(config: StudyConfig) -> None:
    """Raises `UserError` where space or operations of a study cannot be those of its runs."""
    if config.space:
        check_fits(config.space, config.dataset)
    space = find_space(config.space) if config.space else usual_space(kind_of(config.dataset))
    space.narrowed(config.operations)
    if getattr(config, "table", ""):
        check_has_tables(space.name)


def _check_dataset(mode: str, dataset: str | None, data_dir: str) -> None:
    """Raises `UserError` where a data set is not known in a mode."""
    if (mode, dataset) in PRESETS:
        return
    datasets = [name for preset_mode, name in PRESETS if preset_mode == mode]
    choices = (
        f"with --mode={mode} use one of {', '.join(datasets)}, an image classification set of"
        " TensorFlow Datasets, or add --load=FILE.py with the file that registers it."
    )
    if not dataset:
        raise UserError(f"no --dataset given; {choices}")
    # Name, configuration and version; a set may also be only in the user's directory. The list of
    # those that there are imports TensorFlow.
    start_up.load_tensorflow()
    name = re.split("[/:]", dataset)[0]
    published = tfds.list_builders()
    if name in published or (data_dir and name and is_directory(expanded(data_dir) / name)):
        return
    hint = did_you_mean(dataset, sorted({*datasets, *published}))
    raise UserError(f"--dataset={shown(dataset)}: not known{hint}; {choices}")


def _of_runs(config: Config, overrides: Mapping[str, Any]) -> dict[str, Config]:
    """The presets of a study's runs, by the setting of the study that changes them."""
    if not isinstance(config, StudyConfig):
        return {}
    of_both = {n: overrides[n] for n in ("dataset", "space", "data_dir") if overrides.get(n)}
    modes_of = {"search_settings": "search", "train_settings": "train"}
    return {name: _preset(of_both | {"mode": mode}) for name, mode in modes_of.items()}


def configure(overrides: Mapping[str, Any]) -> Config:
    """The preset of `overrides["mode"]` and `overrides["dataset"]`, with the rest put over it.

    Args:
      overrides: the settings given by name, `mode` and `dataset` among them.

    Raises:
      UserError: a name or value that is not allowed; the sentence lists what is.
    """
    return configure_current(rename_and_warn(overrides))


def configure_current(overrides: Mapping[str, Any]) -> Config:
    """`configure` of settings by their names of today, of which no old one is told."""
    mode, dataset = overrides.get("mode"), overrides.get("dataset")
    if mode not in modes():
        if mode:
            check_choice("mode", mode, modes())
        raise UserError(f"no --mode given; use one of {', '.join(modes())}.")
    for name in ("dataset", "data_dir", "space", "genotype"):
        if overrides.get(name) is not None:
            check(settings()[name], overrides[name])
    preset = _preset(overrides)
    allowed = fields(preset)
    for name, value in overrides.items():
        if name not in allowed:
            scope = f"--mode={mode}" + (
                f" --dataset={shown(dataset)}" if mode not in COMMON else ""
            )
            if overrides.get("space"):  # which may be why
                scope += f" --space={shown(overrides['space'])}"
            of_runs = _of_runs(preset, overrides)
            raise misplaced(name, value, scope, preset, _all_presets(), of_runs)
        check(allowed[name], value)
    chosen = {name: value for name, value in overrides.items() if (name, value) != ("space", "")}
    config = dataclasses.replace(preset, **chosen).validated(overrides, preset)
    if isinstance(config, StudyConfig):
        _check_space(config)
    _check_directories(config)
    return config


def unchecked(overrides: Mapping[str, Any]) -> Config:
    """`configure` without a look at whether values are allowed and go together: for `--help`.

    Raises:
      UserError: there is no such mode, data set, space, method or part.
    """
    if overrides.get("mode") not in modes():
        configure(overrides)
    preset = _preset(overrides)
    known = {name: value for name, value in overrides.items() if name in fields(preset)}
    return dataclasses.replace(preset, **known)


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

    `accelerate` is among them where it is "off": it changes how numbers are rounded; `space` where
    it is not the usual one of the data; `operations` where some are named; `nesterov` and
    `permute_labels` where it is so; `xla` where it is "step" and `replica_norms` where it is "own";
    `alpha_clip_norm` where it is not 0. Runs from before there were these settings are as with
    "auto", the usual one, all, not, "auto", "joint" and 0.
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
    if computed["xla"] != "step":
        del computed["xla"]
    if computed["replica_norms"] == "joint":
        del computed["replica_norms"]
    if not computed["nesterov"]:
        del computed["nesterov"]
    if not computed.get("permute_labels", True):
        del computed["permute_labels"]
    if not computed.get("alpha_clip_norm", True):
        del computed["alpha_clip_norm"]
    if config.usual_space:
        del computed["space"]
    if not computed.get("operations", "all"):
        del computed["operations"]
    return computed
