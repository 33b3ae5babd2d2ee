"""What an export needs to know of a kind of data, which its exporter says."""

import abc
import functools
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from tf_darts.config.training import TrainingConfig
from tf_darts.data.facts import ImageFacts, TextFacts
from tf_darts.formats.serving_model import ServingModel
from tf_darts.runs.data_record import ANOTHER_TRAINING, check_data, data_flag
from tf_darts.runs.training_tasks import make_objective, training_task
from tf_darts.spaces.objective import TrainingObjective
from tf_darts.training.engine import TrainingData
from tf_darts.training.finished import FinishedTraining
from tf_darts.training.recorded_names import described, read_names


class Exporter(abc.ABC):
    """What an export needs to know of a kind of data.

    Args:
      config: of the training.
      training: it.
    """

    names_file: ClassVar[str]  # of the run: its classes or words
    count: ClassVar[str]  # of them, in the description of the data
    task: ClassVar[str]  # as the Hugging Face Hub names it
    intended_use: ClassVar[str]  # a sentence for the model card
    limits: ClassVar[Mapping[str, str]]  # what the model does not do, by topic, likewise

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

    @property
    @abc.abstractmethod
    def facts(self) -> ImageFacts | TextFacts:
        """What the training knew of its data; raises `UserError` where that is broken."""

    def network(self, config: TrainingConfig) -> TrainingObjective:
        """A network as configured, with random weights."""
        return make_objective(config, self.cell, self.facts)

    @abc.abstractmethod
    def serving(self, network: TrainingObjective, *, exported: bool) -> ServingModel:
        """What clients meet, of the network that is exported or of the trained one."""

    def representative(self) -> np.ndarray:
        """Inputs of `ServingModel.portable`, one a row; asked where a space has that only."""
        raise NotImplementedError(f"{type(self).__name__} has no representative inputs")

    def read_data(self) -> TrainingData:
        """What the training learnt from, read again; raises `UserError` where it is another."""
        data = training_task(self.config, self.cell).data
        path = self.training.run.path
        check_data(path, data, data_flag(self.config), data.assets(), ANOTHER_TRAINING)
        return data
