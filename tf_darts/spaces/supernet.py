"""What a search needs from a space: the only door between `bilevel/` and a room of `spaces/`."""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import keras
import tensorflow as tf

from tf_darts.cells.costs import Costs
from tf_darts.cells.genotype import Genotype
from tf_darts.cells.topology import CellTopology
from tf_darts.runtime.memory.traced import TracedMemory

Weights = Sequence[tf.Tensor]
# A table [edges, operations] for each kind of cell: logits (α), or mixing weights made of them.
Alphas = Mapping[str, tf.Tensor]
Mixing = Mapping[str, tf.Tensor]
# What a stream of batches carries along (hidden states); any structure of tensors, () for none.
State = Any


class LossResult(NamedTuple):
    """A loss and what its evaluation leaves behind.

    Attributes:
      loss: scalar, what is differentiated: the cross-entropy, plus regularisers where asked for.
      means: `Supernet.measures` by name, scalars; "loss" is the mean cross-entropy in nats.
      state: the state for the stream's next batch, cut off from the gradient.
      statistics: new values for `Supernet.statistics`; only the real weight step assigns them.
    """

    loss: tf.Tensor
    means: Mapping[str, tf.Tensor]
    state: State
    statistics: Sequence[tf.Tensor]


class Evaluation(NamedTuple):
    """Sums over one batch's predictions, to be added up over a data set.

    Attributes:
      totals: `Supernet.measures` by name, scalars; "loss" in nats.
      count: scalar, the number of predictions.
      state: the state for the next batch.
    """

    totals: Mapping[str, tf.Tensor]
    count: tf.Tensor
    state: State


class Supernet(abc.ABC):
    """A relaxed network, evaluated functionally at any weights and mixing weights.

    Nothing here assigns a variable: `loss` is pure in its arguments, so that w, w', w+ and w-
    (docs/method.md section 2) need no copies of the model, and the same seed means the same masks.

    Attributes:
      cells: the topology of each kind of cell; its keys are those of `Alphas`.
      genotype_class: what the derived cells make.
      measures: names of what is measured on every batch; "loss" is one of them.
      score: name of the entry of `scores` by which people judge; `score_mode` "min" or "max".
      batch_axis: of the tensors of a batch, the axis along which its examples stand; in the state
        it is the first.
      costs: gives the multiply-adds of the networks that are made of the cells; whoever makes the
        supernet for a search sets it where the space has some.
    """

    cells: Mapping[str, CellTopology]
    genotype_class: ClassVar[type[Genotype]]
    measures: ClassVar[tuple[str, ...]]
    score: ClassVar[str]
    score_mode: ClassVar[str]
    batch_axis: ClassVar[int] = 0
    costs: Callable[[], Costs] | None = None

    @property
    @abc.abstractmethod
    def weights(self) -> Sequence[keras.Variable]:
        """The trainable weights w, in the order in which `loss` takes their values."""

    @property
    def idle_weights(self) -> Sequence[keras.Variable]:
        """Those of `weights` by which a batch's loss has no gradient.

        Such is a bias before a batch norm: the mean takes it away, and only what is measured moves.
        """
        return ()

    @property
    def regularizes(self) -> bool:
        """Whether the weight step's loss has terms of its own, see `loss`."""
        return False

    @property
    def takes_edge_factors(self) -> bool:
        """Whether an edge's factor multiplies more than its operations, see `loss`.

        Where it does not, the factors are in the mixing weights, and there is no such argument.
        """
        return False

    @property
    def edge_options(self) -> Sequence[Any]:
        """The options of edges that it was made with; the innermost first.

        Where there are some, the rows of what `loss` and `evaluation_sums` get as mixing weights
        are longer, as `spaces/edge_wrappers.py` says.
        """
        return ()

    @property
    def joint_gradients(self) -> bool:
        """Whether ∇_α costs so little beside ∇_w that one compiled function may give both."""
        return False

    @property
    @abc.abstractmethod
    def statistics(self) -> Sequence[keras.Variable]:
        """Variables that are not trained (running statistics)."""

    @property
    @abc.abstractmethod
    def batch_signature(self) -> Any:
        """`tf.TensorSpec`s of one training batch."""

    def traced_memory(
        self, batch: Any, *, order: int = 1, replicas: int = 1
    ) -> TracedMemory | None:
        """The memory of a gradient of `loss`; None where it is not known.

        Args:
          batch: `batch_signature` with all sizes known.
          order: 2 for a second derivative.
          replicas: that compute together.
        """
        del batch, order, replicas
        return None

    @abc.abstractmethod
    def initial_state(self, batch_size: int) -> State:
        """The state before a stream's first batch."""

    @abc.abstractmethod
    def loss(
        self,
        weights: Weights,
        mixing: Mixing,
        batch: Any,
        state: State,
        seed: tf.Tensor,
        *,
        progress: tf.Tensor | float = 0.0,
        regularized: bool = False,
    ) -> LossResult:
        """The training-mode loss of one batch.

        Args:
          weights: the values of `weights`.
          mixing: [edges, operations] for each kind of cell.
          batch: as `batch_signature` says.
          state: of the stream.
          seed: int32 [2], of all masks.
          progress: scalar, the share of the search that is over at this epoch's start, 0 to 1.
          regularized: whether the weight step's own terms are added.

        Where `takes_edge_factors`, there is `edge_factors` besides: [edges] for each kind of cell,
        or None, 1 for each; `evaluation_sums` has it too.
        """

    @abc.abstractmethod
    def evaluation_sums(self, mixing: Mixing, batch: Any, state: State) -> Evaluation:
        """The evaluation-mode sums of one batch at the current weights and statistics."""

    @abc.abstractmethod
    def scores(self, means: Mapping[str, float]) -> dict[str, float]:
        """Means of the `measures` as what people read."""
