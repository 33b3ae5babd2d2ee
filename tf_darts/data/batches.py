"""What searches and trainings take from any data set."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from tf_darts.data.fingerprint import Fingerprint


class EpochData(Protocol):
    """What every loop reads of its data; `epoch` gives the batches of its own kind."""

    evaluation_batch_size: int
    longest: int  # time steps of a batch at most; 1 where a batch has none

    def steps(self, epoch: int) -> int:
        """How many batches an epoch has."""

    def evaluation(self) -> Iterator[Any]:
        """The whole validation part, once."""

    def description(self) -> dict[str, Any]:
        """The data set's name, its counts and moments, as JSON types."""

    def fingerprint(self) -> Fingerprint:
        """What the data are, see `data/fingerprint.py`."""


class SearchBatch(NamedTuple):
    """One step of the bilevel problem: data for the weights and data for the architecture.

    Attributes:
      train: `(inputs, targets)` for the weights. Text: int32 `[time, batch]` each. Images:
        float32 `[batch, height, width, channels]` and int32 `[batch]`.
      validation: the same for the architecture.
      learning_rate_scale: multiplies the weights' learning rate in this step. Text: the
        training length over the usual one. Images: 1.
      starts_pass: a pass over the training data begins here, so hidden states are reset.
    """

    train: tuple[Any, Any]
    validation: tuple[Any, Any]
    learning_rate_scale: float
    starts_pass: bool


class TrainingBatch(NamedTuple):
    """One step of the training of a derived network.

    Attributes:
      batch: `(inputs, targets)` as in `SearchBatch.train`.
      learning_rate_scale: as in `SearchBatch`.
      starts_pass: as in `SearchBatch`.
    """

    batch: tuple[Any, Any]
    learning_rate_scale: float
    starts_pass: bool
