"""The recurrent space behind the `Supernet` door: a language model with a relaxed cell."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from tf_darts.cells.genotype import RecurrentGenotype
from tf_darts.cells.topologies import recurrent_topology
from tf_darts.cells.topology import CellTopology
from tf_darts.runtime.memory.traced import TracedMemory
from tf_darts.spaces import fast_forms
from tf_darts.spaces.recurrent import traced_memory
from tf_darts.spaces.recurrent.relaxed.cell import RelaxedRecurrentCell
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.word_model import temporal_activation
from tf_darts.spaces.supernet import Evaluation, LossResult, Mixing, Supernet, Weights

Batch = tuple[tf.Tensor, tf.Tensor]  # words and the words that follow them, int32 [T, B] each


class RecurrentSupernet(Supernet):
    """Word-level language modelling with one relaxed recurrent cell.

    Its state is the hidden state [B, U] of a stream of text, its α a single table named "cell".

    Args:
      model: the language model; it is built here.
      temporal_activation_penalty: β of β·mean((h_t - h_{t-1})²), on undropped states, in the weight
        step's loss only.
      rematerialize: whether chunks of time steps are computed again in the backward pass.
      topology: of as many nodes, with some of the operations only; None: all of them.
    """

    genotype_class: ClassVar[type] = RecurrentGenotype
    measures: ClassVar[tuple[str, ...]] = ("loss",)
    score: ClassVar[str] = "perplexity"
    score_mode: ClassVar[str] = "min"
    batch_axis: ClassVar[int] = 1

    def __init__(
        self,
        model: RelaxedLanguageModel,
        temporal_activation_penalty: float = 0.0,
        rematerialize: bool = False,
        topology: CellTopology | None = None,
    ) -> None:
        model.build()
        model.cell.rematerialize = rematerialize
        self.model = model
        self.temporal_activation_penalty = temporal_activation_penalty
        full = recurrent_topology(model.nodes)
        self.cells = {"cell": topology or full}
        self._places = None if topology in (None, full) else _places(topology, full.operations)

    @property
    def weights(self) -> Sequence[keras.Variable]:
        cell = self.model.cell
        return [self.model.embedding, cell.input_kernel, *cell.node_kernels, self.model.bias]

    @property
    def regularizes(self) -> bool:
        return self.temporal_activation_penalty > 0.0

    @property
    def statistics(self) -> Sequence[keras.Variable]:
        return [self.model.cell.running_mean, self.model.cell.running_variance]

    @property
    def batch_signature(self) -> Any:
        words = tf.TensorSpec([None, None], tf.int32)
        return (words, words)

    def traced_memory(self, batch: Any, *, order: int = 1, replicas: int = 1) -> TracedMemory:
        topology = self.cells["cell"]
        if replicas == 1 and fast_forms.allowed(RelaxedRecurrentCell):
            recurrence = traced_memory.relaxed(topology.nodes, topology.edges, order)
        else:
            units = self.model.units
            recurrence = traced_memory.relaxed_clear(topology.nodes, topology.edges, units, order)
        return traced_memory.of_model(self.model, recurrence, batch)

    def initial_state(self, batch_size: int) -> tf.Tensor:
        return tf.zeros([batch_size, self.model.units], self.model.compute_dtype)

    def loss(
        self,
        weights: Weights,
        mixing: Mixing,
        batch: Batch,
        state: tf.Tensor,
        seed: tf.Tensor,
        *,
        progress: tf.Tensor | float = 0.0,
        regularized: bool = False,
    ) -> LossResult:
        del progress  # the rates of dropping are constant
        inputs, targets = batch
        mapping = list(zip(self.weights, weights, strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            weights_of_edges = self._all_columns(mixing["cell"])
            features = self.model.features(
                inputs, state, weights_of_edges, seed=seed, training=True
            )
            cross_entropy = self.model.cross_entropy(features.dropped, targets)
        loss = cross_entropy
        if regularized:
            loss += self.temporal_activation_penalty * temporal_activation(features)
        statistics = [scope.get_current_value(variable) for variable in self.statistics]
        state = tf.stop_gradient(features.hidden)
        return LossResult(loss, {"loss": cross_entropy}, state, statistics)

    def evaluation_sums(self, mixing: Mixing, batch: Batch, state: tf.Tensor) -> Evaluation:
        inputs, targets = batch
        features = self.model.features(inputs, state, self._all_columns(mixing["cell"]))
        mean = self.model.cross_entropy(features.dropped, targets)
        count = tf.cast(tf.size(targets), mean.dtype)
        return Evaluation({"loss": mean * count}, count, features.hidden)

    def _all_columns(self, mixing: tf.Tensor) -> tf.Tensor:
        """Mixing weights of all operations [edges, 5]: those that are not tried have 0."""
        if self._places is None:
            return mixing
        return tf.einsum("ek,eko->eo", mixing, tf.constant(self._places, mixing.dtype))

    def scores(self, means: Mapping[str, float]) -> dict[str, float]:
        # e^709 is the largest float64; a diverging search must not die of its report.
        return {"loss": means["loss"], "perplexity": math.exp(min(means["loss"], 700.0))}


def _places(topology: CellTopology, operations: Sequence[str]) -> np.ndarray:
    """[edges, columns, operations]: a 1 where a column's operation stands among all."""
    places = np.zeros([topology.edges, topology.columns, len(operations)])
    for edge in range(topology.edges):
        for column, name in enumerate(topology.operations_of(edge)):
            places[edge, column, operations.index(name)] = 1.0
    return places
