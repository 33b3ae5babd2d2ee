"""What training needs from a derived network: the only door between `training/` and `spaces/`."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import keras
import tensorflow as tf

from tf_darts.runtime.memory.traced import TracedMemory
from tf_darts.spaces.supernet import Evaluation, State


class TrainingLoss(NamedTuple):
    """A loss and what its evaluation leaves behind.

    Attributes:
      loss: scalar, what is differentiated: the cross-entropy with all regularisers.
      means: `TrainingObjective.measures` by name; "loss" is the mean cross-entropy in nats.
      state: the state for the next batch, cut off from the gradient.
    """

    loss: tf.Tensor
    means: Mapping[str, tf.Tensor]
    state: State


class TrainingObjective(abc.ABC):
    """A network of derived cells with its loss and scores.

    Attributes:
      model: the Keras model or layer that owns the variables; it is built.
      measures: names of what is measured on every batch; "loss" is one of them.
      score: name of the entry of `scores` by which people judge; `score_mode` "min" or "max".
      batch_axis: of the tensors of a batch, the axis along which its examples stand; in the state
        it is the first.
    """

    model: keras.Layer
    measures: ClassVar[tuple[str, ...]]
    score: ClassVar[str]
    score_mode: ClassVar[str]
    batch_axis: ClassVar[int] = 0

    @property
    def weights(self) -> Sequence[keras.Variable]:
        """The trainable weights."""
        return self.model.trainable_variables

    @property
    def statistics(self) -> Sequence[keras.Variable]:
        """Variables that are not trained (running statistics); no random generators' states."""
        return [v for v in self.model.non_trainable_variables if "float" in v.dtype]

    @property
    def inference_variables(self) -> Sequence[keras.Variable]:
        """The variables that the network has outside of its training too: those of its export."""
        return [*self.weights, *self.statistics]

    @abc.abstractmethod
    def counts(self) -> dict[str, int]:
        """How large the network is, by what is counted: "weights", "multiply-adds …"."""

    @property
    @abc.abstractmethod
    def batch_signature(self) -> Any:
        """`tf.TensorSpec`s of one training batch, with None where sizes vary."""

    def traced_memory(self, batch: Any) -> TracedMemory | None:
        """The memory of a gradient of `loss`; None where it is not known.

        Args:
          batch: `batch_signature` with all sizes known.
        """
        del batch
        return None

    @abc.abstractmethod
    def initial_state(self, batch_size: int) -> State:
        """The state before a stream's first batch; () where there is none."""

    @abc.abstractmethod
    def loss(self, batch: Any, state: State, seed: tf.Tensor, progress: tf.Tensor) -> TrainingLoss:
        """The training-mode loss of one batch; the model's running statistics move.

        Args:
          batch: `(inputs, targets)`.
          state: of the stream.
          seed: int32 [2], of all masks.
          progress: scalar, the share of the training that is over at this epoch's start, 0 to 1.
        """

    @abc.abstractmethod
    def evaluation_sums(self, batch: Any, state: State) -> Evaluation:
        """The evaluation-mode sums of one batch."""

    @abc.abstractmethod
    def scores(self, means: Mapping[str, float]) -> dict[str, float]:
        """Means of the `measures` as what people read."""
