"""How the finished trainings of each space are exported: where trained networks and data meet."""

import abc
import dataclasses
import functools
import itertools
import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_darts import __version__
from tf_darts.config.recorded import training_class
from tf_darts.config.setting import check, fields
from tf_darts.config.training import (
    ConvolutionalTrainingConfig,
    RecurrentTrainingConfig,
    TrainingConfig,
)
from tf_darts.data.asset_files import LABELS_FILE, VOCABULARY_FILE
from tf_darts.data.texts.vocabulary import EOS
from tf_darts.errors import StateError, UserError
from tf_darts.formats.image_serving import ImageServing, crop_centre, scale_and_crop
from tf_darts.formats.language_functions import exported_functions, trained_functions
from tf_darts.formats.language_serving import LanguageServing
from tf_darts.formats.litert import write_litert
from tf_darts.formats.onnx_model import write_onnx
from tf_darts.formats.picture_decoding import TAKES
from tf_darts.formats.picture_files import KINDS
from tf_darts.formats.saved_model import write_version
from tf_darts.formats.serving_model import ServingModel
from tf_darts.formats.versions import NewVersion
from tf_darts.runs.data_record import ANOTHER_TRAINING, check_data, named, write_missing
from tf_darts.runs.training_tasks import image_objective, language_objective, training_task
from tf_darts.runtime.console import say
from tf_darts.runtime.files import exists
from tf_darts.runtime.precision import set_precision
from tf_darts.spaces.fast_forms import set_acceleration
from tf_darts.spaces.objective import TrainingObjective
from tf_darts.training.engine import TrainingData
from tf_darts.training.finished import FinishedTraining
from tf_darts.training.recorded_names import DATA_FILE, described, read_names

_REPRESENTATIVE = 200  # images by which the ranges of 8-bit numbers are chosen


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


class Pixels(NamedTuple):
    """What a training knew of its images.

    Attributes:
      shape: height, width and channels.
      mean: of each channel, in units of 0..255.
      std: of each channel, likewise.
    """

    shape: tuple[int, int, int]
    mean: list[float]
    std: list[float]


class Exporter(abc.ABC):
    """What an export needs to know of a space.

    Args:
      config: of the training.
      training: it.
    """

    names_file: ClassVar[str]  # of the run: its classes or words
    count: ClassVar[str]  # of them, in the description of the data

    def __init__(self, config: TrainingConfig, training: FinishedTraining) -> None:
        self.config = config
        self.training = training
        self.cell = training.cell

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The names in `names_file`; raises `UserError` where they are not the training's."""
        path, count = self.training.run.path, self.training.data.get(self.count)
        described(path, f"its {self.count}", type(count) is int and count > 0)
        return read_names(path, self.names_file, count)

    @abc.abstractmethod
    def network(self, config: TrainingConfig) -> TrainingObjective:
        """A network as configured, with random weights."""

    @abc.abstractmethod
    def without_regularisation(self) -> TrainingConfig:
        """The configuration without what a network has for its training only."""

    def kept(self, network: TrainingObjective) -> list[keras.Variable]:
        """The variables of a network that the one without regularisation has too."""
        return [*network.weights, *network.statistics]

    @abc.abstractmethod
    def serving(self, network: TrainingObjective, *, exported: bool) -> ServingModel:
        """What clients meet, of the network that is exported or of the trained one."""

    def representative(self) -> np.ndarray:
        """Inputs of `ServingModel.portable`, one a row; asked where a space has that only."""
        raise NotImplementedError


class LanguageExporter(Exporter):
    """For language models."""

    names_file = VOCABULARY_FILE
    count = "vocabulary"

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        words = super().names
        if len(set(words)) < len(words) or EOS not in words:
            raise UserError(
                f"{self.training.run.path / self.names_file}: a word is there twice, or there is no"
                f" {EOS}; put the training's file back."
            )
        return words

    def network(self, config: RecurrentTrainingConfig) -> TrainingObjective:
        return language_objective(config, self.cell, len(self.names))

    def without_regularisation(self) -> RecurrentTrainingConfig:
        rates = {
            field.name: 0.0
            for field in dataclasses.fields(self.config)
            if field.name.endswith("_dropout")
        }
        return dataclasses.replace(self.config, **rates)

    def serving(self, network: TrainingObjective, *, exported: bool) -> LanguageServing:
        functions = exported_functions if exported else trained_functions
        return LanguageServing(
            functions(network.model),
            [variable.value for variable in network.weights],
            units=self.config.units,
            words=self.names,
            vocabulary_file=self.training.run.path / self.names_file,
        )


class ImageExporter(Exporter):
    """For image classifiers."""

    names_file = LABELS_FILE
    count = "classes"

    @functools.cached_property
    def pixels(self) -> Pixels:
        """What the training knew of its pixels; raises `UserError` where that is broken."""
        shape, mean, std = (self.training.data.get(n) for n in ("image_shape", "mean", "std"))
        sizes = isinstance(shape, list) and len(shape) == 3 and all(type(n) is int for n in shape)
        right = sizes and min(shape) > 0 and _numbers(mean, shape[2]) and _numbers(std, shape[2])
        described(self.training.run.path, "its images", right and min(std) > 0)
        return Pixels(tuple(shape), mean, std)

    def network(self, config: ConvolutionalTrainingConfig) -> TrainingObjective:
        return image_objective(config, self.cell, self.pixels.shape, len(self.names))

    def without_regularisation(self) -> ConvolutionalTrainingConfig:
        return dataclasses.replace(self.config, auxiliary_weight=0.0, drop_path=0.0)

    def kept(self, network: TrainingObjective) -> list[keras.Variable]:
        head = network.model.auxiliary_head.variables if network.model.auxiliary else []
        left_out = {id(variable) for variable in head}
        return [variable for variable in super().kept(network) if id(variable) not in left_out]

    def serving(self, network: TrainingObjective, *, exported: bool) -> ImageServing:
        del exported  # the same function is exported and trained
        model, pixels = network.model, self.pixels
        return ImageServing(
            lambda images: tf.cast(model(tf.cast(images, model.compute_dtype)), tf.float32),
            [variable.value for variable in self.kept(network)],
            shape=pixels.shape,
            mean=pixels.mean,
            std=pixels.std,
            labels=self.names,
            labels_file=self.training.run.path / self.names_file,
            fit=crop_centre if self.config.stream_images else scale_and_crop,
        )

    def representative(self) -> np.ndarray:
        """Training images, augmented, float32 [images, height, width, channels], 0..255."""
        set_precision("float32")
        data = _data_again(self.config, self)
        batches = (batch.batch[0] for batch in data.epoch(0))
        few = itertools.islice(batches, -(-_REPRESENTATIVE // self.config.batch_size))
        images = np.concatenate(list(few))[:_REPRESENTATIVE]
        return np.float32(images * np.float32(self.pixels.std) + np.float32(self.pixels.mean))


def _numbers(value: Any, count: int) -> bool:
    """Whether a value is a list of so many finite numbers."""
    return (
        isinstance(value, list)
        and len(value) == count
        and all(type(n) in (int, float) and math.isfinite(n) for n in value)
    )


@functools.singledispatch
def exporter(config: TrainingConfig, training: FinishedTraining) -> Exporter:
    """The exporter of a configuration; a new space registers its own configuration class here."""
    raise TypeError(f"no export is known for {type(config).__name__}")


exporter.register(RecurrentTrainingConfig, LanguageExporter)
exporter.register(ConvolutionalTrainingConfig, ImageExporter)


def _exporter(training: FinishedTraining, data_dir: str) -> Exporter:
    """The exporter of a training; raises `UserError` where its `config.json` cannot be a run's."""
    settings = training.settings
    try:
        kind = training_class(training.run)
        for name, field in fields(kind).items():
            if name in settings:
                check(field, settings[name])
        config = training.config(kind, data_dir=data_dir)
        return exporter(config, training)
    except StateError:
        raise
    except UserError as error:
        raise UserError(
            f"{training.run.path / 'config.json'}: cannot be a training's"
            f" ({str(error).rstrip('.')}); put a copy of it back, or train again elsewhere."
        ) from error


def _data_again(config: TrainingConfig, one: Exporter) -> TrainingData:
    """What a training learnt from, read again; raises `UserError` where that is something else."""
    data = training_task(config, one.cell).data
    path = one.training.run.path
    check_data(path, data, named(config), data.assets(), ANOTHER_TRAINING)
    return data


def export_task(training: FinishedTraining, data_dir: str = "") -> ExportTask:
    """The task of a finished training.

    What the run does not know of its data (an import, or a run from before there were exports) is
    measured on the data set again, and kept in the run.

    Args:
      training: whose network it is.
      data_dir: where its data are, if they must be read.

    Raises:
      UserError: the weights are not there, or the data are needed and not to be had.
    """
    one = _exporter(training, data_dir)
    config = one.config
    set_precision(config.precision)
    set_acceleration(config.accelerate)
    if not all(exists(training.run.path / name) for name in (DATA_FILE, one.names_file)):
        say(f"{training.run.path} does not say what its data are; reading {config.dataset} once.")
        data = _data_again(config, one)
        write_missing(training.run.path, data, data.assets())
    trained = one.network(config)
    evaluator = training.restore(trained)
    evaluator.load_chosen_weights()
    set_precision("float32")
    bare = one.network(one.without_regularisation())
    for variable, value in zip(one.kept(bare), one.kept(trained), strict=True):
        variable.assign(tf.cast(value.value, tf.float32))
    served = one.serving(bare, exported=True)
    card = {
        "made by": f"tf_darts {__version__}",
        "run": str(training.run.path),
        "space": config.space,
        "weights": "averaged (averaged SGD)" if evaluator.averaged else "not averaged",
        "genotype": training.settings["cell"],
        "data": training.data,
        "training": training.result,
        "test": training.tested or {"scores": "not tested"},
        "counts": bare.counts(),
        "client": served.client_info(),
        "settings": {name: v for name, v in training.settings.items() if name != "cell"},
    }
    live = one.serving(trained, exported=False)
    return ExportTask(served, live, card, training.run.path / one.names_file, one.representative)


def _saved_model(task: ExportTask, version: NewVersion) -> list[str]:
    write_version(task.served, task.live, task.card, version)
    taken = {kind.upper() for kind in KINDS}
    others = [kind for kind in task.card["data"].get("formats", []) if kind not in taken]
    if others:
        return [
            f"The training images were also {', '.join(others)} files, which serve_bytes does not"
            f" take; it takes {TAKES}."
        ]
    return []


def _litert(task: ExportTask, version: NewVersion) -> list[str]:
    found = write_litert(task.served, task.card, [task.names], task.representative, version)
    return [
        f"{precision}: {how['bytes']:,} bytes, the same likeliest class for"
        f" {100 * how['same_likeliest']:.1f} % of the training images looked at"
        f"{'' if how['runs_with_xnnpack'] else '; LiteRT runs it without its XNNPACK kernels only'}"
        for precision, how in found.items()
    ]


def _onnx(task: ExportTask, version: NewVersion) -> list[str]:
    write_onnx(task.served, task.card, [task.names], version)
    return []


# What writes a version in each `--format`, and returns what there is to say of it.
FORMATS: Mapping[str, Callable[[ExportTask, NewVersion], list[str]]] = {
    "saved_model": _saved_model,
    "litert": _litert,
    "onnx": _onnx,
}
