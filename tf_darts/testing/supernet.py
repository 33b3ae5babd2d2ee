"""Whether a class is a `Supernet`: what a search relies on."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_darts.bilevel.relaxation import beginning, softmax
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells.topology import CellTopology
from tf_darts.spaces.edge_wrappers import rows
from tf_darts.spaces.supernet import LossResult, Mixing, State, Supernet
from tf_darts.testing import doors
from tf_darts.testing.comparison import differ, expect, expect_equal, float64, unchanged
from tf_darts.testing.derivatives import random
from tf_darts.testing.differences import check_gradient, check_influence

SEED = (1, 2)


def check_supernet(supernet: Supernet, batch: Any, *, random_masks: bool | None = None) -> None:
    """Tries a supernet as a search uses it: seconds, for a toy one.

    Checked are topologies and genotypes, measures and scores; that the loss assigns nothing, says
    the same at the same arguments, compiled or not, and depends on every edge and weight that it
    is given, but for `idle_weights`; its gradients by w and α, against differences of its values;
    that state and statistics are cut off and only returned; that sums of evaluations add up, and
    that memory grows.

    Args:
      supernet: made inside `with tf_darts.testing.float64():`.
      batch: a training batch of two examples or more, of any numbers.
      random_masks: whether the loss draws anything by its seed; None leaves that open.

    Raises:
      AssertionError: one sentence that names the class and what failed.
    """
    name = type(supernet).__name__
    with float64():
        variables = [*supernet.weights, *supernet.statistics]
        doors.check_double(variables, name)
        doors.check_scores(supernet, name)
        _check_cells(supernet, name)
        batch, count = doors.tensors(supernet, batch, name)
        trial = _Trial(supernet, batch, supernet.initial_state(count), name)
        with unchanged(variables, f"{name}.loss"):
            trial.check_result(count)
            trial.check_seeds(random_masks)
            trial.check_regularization()
            trial.check_gradients()
        mixing = _mixing(supernet, trial.alphas)
        with unchanged(variables, f"{name}.evaluation_sums"):
            doors.check_evaluation(
                supernet,
                lambda batch, state: supernet.evaluation_sums(mixing, batch, state),
                batch,
                trial.state,
                name,
            )
        doors.check_memory(supernet, supernet.traced_memory, name)


def check_topologies(cells: Mapping[str, CellTopology], name: str) -> None:
    """Raises `AssertionError` where the topologies of some kinds of cells are not sound."""
    expect(cells, f"{name}: cells is empty.")
    for kind, topology in cells.items():
        for edge in range(topology.edges):
            operations = topology.operations_of(edge)
            expect(
                set(operations) - {"none"},
                f"{name}: the operations of {kind!r} are {operations}; one must be another.",
            )


def _check_cells(supernet: Supernet, name: str) -> None:
    """Whether the topologies are sound, and the strongest edges of any table make a cell."""
    check_topologies(supernet.cells, name)
    tables = {kind: np.asarray(table) for kind, table in _alphas(supernet).items()}
    edges = derive(tables, supernet.cells)
    genotype_class = supernet.genotype_class
    try:
        cell = genotype_class.from_cells(edges)
        restored = genotype_class.from_dict(cell.to_dict())
    except Exception as error:
        sentence = f"{name}: {genotype_class.__name__} refuses the strongest edges {edges}: {error}"
        raise AssertionError(sentence) from error
    expect(restored == cell, f"{name}: {cell} is {restored} after to_dict and from_dict.")


def _alphas(supernet: Supernet) -> dict[str, tf.Tensor]:
    return {
        kind: random(500 + i, topology.edges, topology.columns)
        for i, (kind, topology) in enumerate(supernet.cells.items())
    }


def _mixing(supernet: Supernet, alphas: Mapping[str, tf.Tensor]) -> Mixing:
    """What the supernet takes as mixing weights, with what the options of its edges take."""
    options = supernet.edge_options
    if not options:
        return softmax(alphas)
    numbers = [number for option in options for number in option.numbers_at(beginning(), 1)]
    return rows(softmax(alphas), numbers, None)


class _Trial:
    """A supernet at weights of its own, some α, a batch and a state."""

    def __init__(self, supernet: Supernet, batch: Any, state: State, name: str) -> None:
        self.supernet, self.batch, self.state, self.name = supernet, batch, state, name
        # Others than the variables', so that a loss that reads these is found out.
        self.weights = [
            tf.convert_to_tensor(weight) + 1e-3 * random(600 + i, *weight.shape)
            for i, weight in enumerate(supernet.weights)
        ]
        self.alphas = _alphas(supernet)
        self.kinds = list(supernet.cells)
        self.compiled = tf.function(self._value, autograph=False)

    def loss(
        self, weights: Any, alphas: Mapping[str, tf.Tensor], seed: tf.Tensor, **settings: Any
    ) -> LossResult:
        return self.supernet.loss(
            weights, _mixing(self.supernet, alphas), self.batch, self.state, seed, **settings
        )

    def _value(self, arguments: list[tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
        """The loss at all weights, then all tables of α."""
        count = len(self.weights)
        tables = zip(self.kinds, arguments[count:], strict=True)
        return self.loss(arguments[:count], dict(tables), seed).loss

    @property
    def arguments(self) -> list[tf.Tensor]:
        return [*self.weights, *self.alphas.values()]

    def check_result(self, count: int) -> None:
        result = self.loss(self.weights, self.alphas, tf.constant(SEED))
        doors.check_means(self.supernet, result.loss, result.means, self.name)
        doors.check_state(self.supernet, self.state, result.state, count, self.name)
        expect_equal(
            result.loss, result.means["loss"], f"{self.name}: without regularisers the loss is"
        )
        forms = [
            [(tuple(value.shape), tf.as_dtype(value.dtype).name) for value in values]
            for values in (result.statistics, self.supernet.statistics)
        ]
        expect(
            forms[0] == forms[1],
            f"{self.name}: the loss returns statistics {forms[0]}, and there are {forms[1]}.",
        )

    def check_regularization(self) -> None:
        """Only where it says so is the weight step's loss another."""
        plain_result, regularized_result = (
            self.loss(self.weights, self.alphas, tf.constant(SEED), regularized=flag)
            for flag in (False, True)
        )
        expect_equal(
            regularized_result.means,
            plain_result.means,
            f"{self.name}: with regularisers a measure is",
        )
        regularizes = self.supernet.regularizes
        expect(
            differ(regularized_result.loss, plain_result.loss) == regularizes,
            f"{self.name}: regularizes is {regularizes}, and the loss {plain_result.loss.numpy()}"
            f" is {regularized_result.loss.numpy()} with regularisers.",
        )

    def check_seeds(self, random_masks: bool | None) -> None:
        doors.check_seeds(
            lambda seed: self.compiled(self.arguments, seed),
            lambda seed: self._value(self.arguments, seed),
            random_masks,
            self.name,
        )

    def check_gradients(self) -> None:
        arguments = self.arguments
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(arguments)
            tables = dict(zip(self.kinds, arguments[len(self.weights) :], strict=True))
            result = self.loss(self.weights, tables, tf.constant(SEED))
        for what, returned in (("state", result.state), ("statistics", result.statistics)):
            parts = tf.nest.flatten(returned)
            reached = parts and any(g is not None for g in tape.gradient(parts, arguments))
            expect(not reached, f"{self.name}: the {what} of a loss are not cut off from w or α.")
        slopes = tape.gradient(result.loss, arguments, unconnected_gradients="zero")
        slopes = [tf.convert_to_tensor(slope) for slope in slopes]
        weights = [f"the weight {weight.path!r}" for weight in self.supernet.weights]
        names = [*weights, *(f"α of {kind!r}" for kind in self.kinds)]
        idle = {id(weight) for weight in self.supernet.idle_weights}
        busy = [i for i, weight in enumerate(self.supernet.weights) if id(weight) not in idle]
        check_influence(
            [slopes[i] for i in busy], [weights[i] for i in busy], f"{self.name}: the loss"
        )
        for kind, table in zip(self.kinds, slopes[len(weights) :], strict=True):
            edges = self.supernet.cells[kind].edge_names
            rows = [f"edge {edge} of {kind!r}" for edge in edges]
            check_influence(tf.unstack(table), rows, f"{self.name}: the loss")
        seed = tf.constant(SEED)
        check_gradient(
            lambda points: self.compiled(points, seed), arguments, slopes, names, self.name
        )
