"""How the finished trainings of each space are exported: where trained networks and data meet."""

import abc
import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_darts import __version__, genotype
from tf_darts.config import preset_for
from tf_darts.configuration.training import (
    ConvolutionalTrainingConfig,
    RecurrentTrainingConfig,
    TrainingConfig,
)
from tf_darts.data.asset_files import LABELS_FILE, VOCABULARY_FILE, read_listed
from tf_darts.export.image_serving import ImageServing, centre, whole
from tf_darts.export.language_functions import exported_functions, trained_functions
from tf_darts.export.language_serving import LanguageServing
from tf_darts.export.litert import write_litert
from tf_darts.export.onnx_model import write_onnx
from tf_darts.export.saved_model import write_version
from tf_darts.export.serving_model import ServingModel
from tf_darts.runtime.precision import set_precision
from tf_darts.spaces.fast_forms import set_acceleration
from tf_darts.spaces.network import Network
from tf_darts.training.kept_data import keep_data
from tf_darts.training.testing import FinishedTraining
from tf_darts.training_tasks import image_network, language_network, training_task

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


class Exporter(abc.ABC):
    """What an export needs to know of a space.

    Args:
      config: of the training.
      training: it.
    """

    names_file: ClassVar[str]  # of the run: its classes or words

    def __init__(self, config: TrainingConfig, training: FinishedTraining) -> None:
        self.config = config
        self.training = training
        self.cell = genotype.SPACES[config.space].from_dict(training.settings["cell"])

    @property
    def names(self) -> tuple[str, ...]:
        """The names in `names_file`."""
        file = self.training.run.path / self.names_file
        return read_listed(file.read_text(encoding="utf-8"))

    @abc.abstractmethod
    def network(self, config: TrainingConfig) -> Network:
        """A network as configured, with random weights."""

    @abc.abstractmethod
    def without_regularisation(self) -> TrainingConfig:
        """The configuration without what a network has for its training only."""

    def kept(self, network: Network) -> list[keras.Variable]:
        """The variables of a network that the one without regularisation has too."""
        return [*network.weights, *network.statistics]

    @abc.abstractmethod
    def serving(self, network: Network, *, exported: bool) -> ServingModel:
        """What clients meet, of the network that is exported or of the trained one."""

    def representative(self) -> np.ndarray:
        """Inputs of `ServingModel.portable`, one a row; asked where a space has that only."""
        raise NotImplementedError


class LanguageExporter(Exporter):
    """For language models."""

    names_file = VOCABULARY_FILE

    def network(self, config: RecurrentTrainingConfig) -> Network:
        return language_network(config, self.cell, len(self.names))

    def without_regularisation(self) -> RecurrentTrainingConfig:
        rates = {
            field.name: 0.0
            for field in dataclasses.fields(self.config)
            if field.name.endswith("_dropout")
        }
        return dataclasses.replace(self.config, **rates)

    def serving(self, network: Network, *, exported: bool) -> LanguageServing:
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

    def network(self, config: ConvolutionalTrainingConfig) -> Network:
        shape = tuple(self.training.data["image_shape"])
        return image_network(config, self.cell, shape, len(self.names))

    def without_regularisation(self) -> ConvolutionalTrainingConfig:
        return dataclasses.replace(self.config, auxiliary_weight=0.0, drop_path=0.0)

    def kept(self, network: Network) -> list[keras.Variable]:
        head = network.model.auxiliary_head.variables if network.model.auxiliary else []
        left_out = {id(variable) for variable in head}
        return [variable for variable in super().kept(network) if id(variable) not in left_out]

    def serving(self, network: Network, *, exported: bool) -> ImageServing:
        del exported  # the same function is exported and trained
        model, data = network.model, self.training.data
        return ImageServing(
            lambda images: tf.cast(model(tf.cast(images, model.compute_dtype)), tf.float32),
            [variable.value for variable in self.kept(network)],
            shape=tuple(data["image_shape"]),
            mean=data["mean"],
            std=data["std"],
            labels=self.names,
            labels_file=self.training.run.path / self.names_file,
            fit=centre if self.config.random_resized_crop else whole,
        )

    def representative(self) -> np.ndarray:
        """Training images, augmented, float32 [images, height, width, channels], 0..255."""
        set_precision("float32")
        data = training_task(self.config, self.cell).data
        batches = (batch.batch[0] for batch in data.epoch(0))
        known = self.training.data
        few = itertools.islice(batches, -(-_REPRESENTATIVE // self.config.batch_size))
        images = np.concatenate(list(few))[:_REPRESENTATIVE]
        return np.float32(images * np.float32(known["std"]) + np.float32(known["mean"]))


@functools.singledispatch
def exporter(config: TrainingConfig, training: FinishedTraining) -> Exporter:
    """The exporter of a configuration; a new space registers its own configuration class here."""
    raise TypeError(f"no export is known for {type(config).__name__}")


exporter.register(RecurrentTrainingConfig, LanguageExporter)
exporter.register(ConvolutionalTrainingConfig, ImageExporter)


def _config(training: FinishedTraining, data_dir: str) -> TrainingConfig:
    preset = preset_for("train", training.settings["dataset"])
    return training.config(type(preset), data_dir=data_dir)


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
    config = _config(training, data_dir)
    one = exporter(config, training)
    set_precision(config.precision)
    set_acceleration(config.accelerate)
    if not (training.data and (training.run.path / one.names_file).exists()):
        print(f"{training.run.path} does not say what its data are; reading {config.dataset} once.")
        keep_data(training.run, training_task(config, one.cell).data)
    trained = one.network(config)
    evaluator = training.restore(trained)
    evaluator.settle()
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
        "client": served.about(),
        "settings": {name: v for name, v in training.settings.items() if name != "cell"},
    }
    live = one.serving(trained, exported=False)
    return ExportTask(served, live, card, training.run.path / one.names_file, one.representative)


def _saved_model(task: ExportTask, export_dir: pathlib.Path, version: int) -> list[str]:
    write_version(task.served, task.live, task.card, export_dir, version)
    return []


def _litert(task: ExportTask, export_dir: pathlib.Path, version: int) -> list[str]:
    found = write_litert(
        task.served, task.card, [task.names], task.representative, export_dir, version
    )
    return [
        f"{precision}: {how['bytes']:,} bytes, the same likeliest class for"
        f" {100 * how['same_likeliest']:.1f} % of the training images looked at"
        f"{'' if how['runs_with_xnnpack'] else '; LiteRT runs it without its XNNPACK kernels only'}"
        for precision, how in found.items()
    ]


def _onnx(task: ExportTask, export_dir: pathlib.Path, version: int) -> list[str]:
    write_onnx(task.served, task.card, [task.names], export_dir, version)
    return []


# What writes a version in each `--format`, and returns what there is to say of it.
FORMATS: Mapping[str, Callable[[ExportTask, pathlib.Path, int], list[str]]] = {
    "saved_model": _saved_model,
    "litert": _litert,
    "onnx": _onnx,
}
