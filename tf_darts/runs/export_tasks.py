"""How a finished training is exported: its network, its model card, and the formats of both."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_darts import __version__
from tf_darts.cells.space import IMAGES, TEXTS, find_space
from tf_darts.config.recorded import training_class
from tf_darts.config.setting import check, fields
from tf_darts.errors import StateError, UserError
from tf_darts.formats.litert import write_litert
from tf_darts.formats.model_card import HUB, hub_fields
from tf_darts.formats.onnx_model import write_onnx
from tf_darts.formats.picture_decoding import TAKES
from tf_darts.formats.picture_files import KINDS
from tf_darts.formats.saved_model import write_version
from tf_darts.formats.serving_model import ServingModel
from tf_darts.formats.versions import NewVersion
from tf_darts.runs.data_record import write_missing
from tf_darts.runs.exporter import Exporter
from tf_darts.runs.image_exporter import ImageExporter
from tf_darts.runs.language_exporter import LanguageExporter
from tf_darts.runtime.busy import busy
from tf_darts.runtime.console import say
from tf_darts.runtime.environment import (
    command,
    environment,
    in_short,
    in_words,
    last_command,
)
from tf_darts.runtime.files import exists
from tf_darts.runtime.precision import set_precision
from tf_darts.spaces.fast_forms import set_acceleration
from tf_darts.training.finished import FinishedTraining
from tf_darts.training.recorded_names import DATA_FILE

_WITHOUT_XNNPACK = "LiteRT runs it without its XNNPACK kernels only"


class ExportTask(NamedTuple):
    """A network to export.

    Attributes:
      served: what is exported: float32, without what only trains.
      live: the trained network itself.
      card: what the model card says.
      names: the file with its classes or words.
      representative: reads inputs of `served.portable()`, one a row, from the data.
    """

    served: ServingModel
    live: ServingModel
    card: dict[str, Any]
    names: pathlib.Path
    representative: Callable[[], np.ndarray]


_EXPORTERS: Mapping[str, type[Exporter]] = {IMAGES: ImageExporter, TEXTS: LanguageExporter}


def _open_exporter(training: FinishedTraining, data_dir: str) -> Exporter:
    """The exporter of a training; raises `UserError` where its `config.json` cannot be a run's."""
    settings = training.settings
    try:
        kind = training_class(training.run)
        for name, field in fields(kind).items():
            if name in settings:
                check(field, settings[name])
        config = training.config(kind, data_dir=data_dir)
        return _EXPORTERS[find_space(config.space).data](config, training)
    except StateError:
        raise
    except UserError as error:
        raise UserError(
            f"{training.run.path / 'config.json'}: cannot be a training's"
            f" ({str(error).rstrip('.')}); put a copy of it back, or train again elsewhere."
        ) from error


def export_task(
    training: FinishedTraining, data_dir: str = "", license: str = "unknown"
) -> ExportTask:
    """The task of a finished training.

    What the run does not know of its data (an import, or a run from before there were exports) is
    measured on the data set again, and kept in the run.

    Args:
      training: whose network it is.
      data_dir: where its data are, if they must be read.
      license: of the weights, by the name that the Hugging Face Hub has for it.

    Raises:
      UserError: the weights are not there, or the data are needed and not to be had.
    """
    exporter = _open_exporter(training, data_dir)
    config = exporter.config
    set_precision(config.precision)
    set_acceleration(config.accelerate)
    if not all(exists(training.run.path / name) for name in (DATA_FILE, exporter.names_file)):
        say(f"{training.run.path} does not say what its data are; reading {config.dataset} once.")
        data = exporter.read_data()
        write_missing(training.run.path, data, data.assets())
    trained = exporter.network(config)
    evaluator = training.restore(trained)
    evaluator.load_chosen_weights()
    set_precision("float32")
    bare = exporter.network(config.for_inference())
    variables, values = bare.inference_variables, trained.inference_variables
    for variable, value in zip(variables, values, strict=True):
        variable.assign(tf.cast(value.value, tf.float32))
    served = exporter.serving(bare, exported=True)
    card = {
        "made by": f"tf_darts {__version__}",
        "license": license,
        "intended use": exporter.intended_use,
        "run": str(training.run.path),
        "space": config.space,
        "weights": "averaged (averaged SGD)" if evaluator.averaged else "not averaged",
        "genotype": training.settings["cell"],
        "data": training.data,
        "training": training.result,
        "test": training.tested or {"scores": "not tested"},
        "counts": bare.counts(),
        "client": served.client_info(),
        "limits": dict(exporter.limits),
        "environment": {
            "training": in_short(training.run.path),
            "training command": last_command(training.run.path),
            "export": in_words(environment()),
            "export command": command(),
        },
        "settings": {name: v for name, v in training.settings.items() if name != "cell"},
    }
    card[HUB] = hub_fields(
        license, exporter.task, config.dataset, trained.score, training.result, training.tested
    )
    live = exporter.serving(trained, exported=False)
    names = training.run.path / exporter.names_file
    return ExportTask(served, live, card, names, exporter.representative)


def _saved_model(task: ExportTask, version: NewVersion) -> list[str]:
    write_version(task.served, task.live, task.card, version)
    accepted = {kind.upper() for kind in KINDS}
    rejected = [kind for kind in task.card["data"].get("formats", []) if kind not in accepted]
    if rejected:
        return [
            f"The training images were also {', '.join(rejected)} files, which serve_bytes does not"
            f" take; it takes {TAKES}."
        ]
    return []


def _litert(task: ExportTask, version: NewVersion) -> list[str]:
    with busy("Converting it to LiteRT, and checking that"):
        summaries = write_litert(task.served, task.card, [task.names], task.representative, version)
    return [
        f"{precision}: {summary['bytes']:,} bytes, the same likeliest class for"
        f" {100 * summary['same_likeliest']:.1f} % of the training images looked at"
        + ("" if summary["runs_with_xnnpack"] else f"; {_WITHOUT_XNNPACK}")
        for precision, summary in summaries.items()
    ]


def _onnx(task: ExportTask, version: NewVersion) -> list[str]:
    with busy("Converting it to ONNX, and checking that"):
        write_onnx(task.served, task.card, [task.names], version)
    return []


# What writes a version in each `--format`, and returns what there is to say of it.
FORMATS: Mapping[str, Callable[[ExportTask, NewVersion], list[str]]] = {
    "saved_model": _saved_model,
    "litert": _litert,
    "onnx": _onnx,
}
