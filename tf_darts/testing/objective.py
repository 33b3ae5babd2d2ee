"""Whether a class is a `TrainingObjective`: what a training relies on."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_darts.spaces.objective import TrainingLoss, TrainingObjective
from tf_darts.spaces.supernet import State
from tf_darts.testing import doors
from tf_darts.testing.comparison import expect, expect_equal, float64, unchanged
from tf_darts.testing.derivatives import random
from tf_darts.testing.differences import check_gradient, check_influence

SEED = (1, 2)


def check_objective(
    objective: TrainingObjective,
    batch: Any,
    *,
    uncounted: Sequence[keras.Variable] = (),
    random_masks: bool | None = None,
) -> None:
    """Tries a derived network as a training uses it: seconds, for a toy one.

    Checked are measures, scores and counts; that the loss, evaluated at any weights in Keras'
    stateless scope, assigns nothing outside, says the same at the same arguments, compiled or not,
    and at another progress too; that it depends on every weight; its gradient, against differences
    of its values; that its state is cut off; that sums of evaluations add up, and memory grows.

    Args:
      objective: made inside `with tf_darts.testing.float64():`.
      batch: a training batch of two examples or more, of any numbers.
      uncounted: weights that `counts` leaves out on purpose, as those of an auxiliary head.
      random_masks: whether the loss draws anything by its seed; None leaves that open.

    Raises:
      AssertionError: one sentence that names the class and what failed.
    """
    name = type(objective).__name__
    with float64():
        variables = [*objective.weights, *objective.statistics]
        doors.check_double(variables, name)
        doors.check_scores(objective, name)
        _check_counts(objective, uncounted, name)
        batch, count = doors.tensors(objective, batch, name)
        state = objective.initial_state(count)
        trial = _Trial(objective, batch, state, name)
        with unchanged(variables, f"{name}.loss"):
            trial.check_result(count)
            trial.check_seeds(random_masks)
            trial.check_progress()
            trial.check_gradients()
        with unchanged(variables, f"{name}.evaluation_sums"):
            doors.check_evaluation(objective, objective.evaluation_sums, batch, state, name)
        doors.check_memory(objective, objective.traced_memory, name)


def _check_counts(
    objective: TrainingObjective, uncounted: Sequence[keras.Variable], name: str
) -> None:
    counts = objective.counts()
    for key, value in counts.items():
        is_count = type(value) is int and value > 0
        expect(is_count, f"{name}: counts has {key}={value!r}; a count is a whole number above 0.")
    if "weights" in counts:
        uncounted_ids = {id(weight) for weight in uncounted}
        counted_weights = [
            weight for weight in objective.weights if id(weight) not in uncounted_ids
        ]
        actual = sum(math.prod(weight.shape) for weight in counted_weights)
        expect(
            counts["weights"] == actual,
            f"{name}: counts has weights={counts['weights']}, and there are {actual}.",
        )


class _Trial:
    """An objective at weights of its own, a batch and a state."""

    def __init__(self, objective: TrainingObjective, batch: Any, state: State, name: str) -> None:
        self.objective, self.batch, self.state, self.name = objective, batch, state, name
        # Others than the variables', so that a loss that reads past Keras is found out.
        self.weights = [
            tf.convert_to_tensor(weight) + 1e-3 * random(600 + i, *weight.shape)
            for i, weight in enumerate(objective.weights)
        ]
        self.compiled = tf.function(self._value, autograph=False)

    def loss(self, weights: list[tf.Tensor], seed: tf.Tensor, progress: tf.Tensor) -> TrainingLoss:
        """As a training takes it: what the loss assigns stays in the scope."""
        mapping = list(zip(self.objective.weights, weights, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return self.objective.loss(self.batch, self.state, seed, progress)

    def _value(self, weights: list[tf.Tensor], seed: tf.Tensor, progress: tf.Tensor) -> tf.Tensor:
        return self.loss(weights, seed, progress).loss

    def check_result(self, count: int) -> None:
        result = self.loss(self.weights, tf.constant(SEED), _progress(0.5))
        doors.check_means(self.objective, result.loss, result.means, self.name)
        doors.check_state(self.objective, self.state, result.state, count, self.name)

    def check_seeds(self, random_masks: bool | None) -> None:
        # At the end of a training, when what grows in its course is strongest.
        doors.check_seeds(
            lambda seed: self.compiled(self.weights, seed, _progress(1.0)),
            lambda seed: self._value(self.weights, seed, _progress(1.0)),
            random_masks,
            self.name,
        )

    def check_progress(self) -> None:
        """It is traced once for all epochs."""
        seed = tf.constant(SEED)
        for share in (0.0, 0.5):
            expect_equal(
                self.compiled(self.weights, seed, _progress(share)),
                self._value(self.weights, seed, _progress(share)),
                f"{self.name}: at progress {share} the loss compiled at another one is",
                tolerance=1e-9,
            )

    def check_gradients(self) -> None:
        seed, progress = tf.constant(SEED), _progress(0.5)
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(self.weights)
            result = self.loss(self.weights, seed, progress)
        parts = tf.nest.flatten(result.state)
        reached = parts and any(g is not None for g in tape.gradient(parts, self.weights))
        expect(not reached, f"{self.name}: the state of a loss is not cut off from w.")
        slopes = tape.gradient(result.loss, self.weights, unconnected_gradients="zero")
        slopes = [tf.convert_to_tensor(slope) for slope in slopes]
        names = [f"the weight {weight.path!r}" for weight in self.objective.weights]
        check_influence(slopes, names, f"{self.name}: the loss")
        check_gradient(
            lambda points: self.compiled(points, seed, progress),
            self.weights,
            slopes,
            names,
            self.name,
        )


def _progress(share: float) -> tf.Tensor:
    return tf.constant(share, tf.float64)
