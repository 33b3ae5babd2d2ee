"""The scores of a derived network on a part of the data."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import tensorflow as tf

from tf_darts.optimization.averaging import WeightAverage
from tf_darts.runtime.precision import current, using
from tf_darts.spaces.evaluation import means_over
from tf_darts.spaces.objective import TrainingObjective
from tf_darts.spaces.supernet import Evaluation, State


class Evaluator:
    """Scores a network in evaluation mode.

    Args:
      network: what is scored.
      average: of its weights, or None.
    """

    def __init__(self, objective: TrainingObjective, average: WeightAverage | None = None) -> None:
        self._objective = objective
        self._average = average
        self._precision = current()
        self._evaluate = tf.function(self._of_last, autograph=False, reduce_retracing=True)
        self._evaluate_average = tf.function(
            self._of_average, autograph=False, reduce_retracing=True
        )

    @property
    def averaged(self) -> bool:
        """Whether the average has begun, and so is what counts."""
        return self._average is not None and int(self._average.count) > 0

    def load_chosen_weights(self) -> None:
        """Gives the network for good the weights that count: their average, where it has begun."""
        if self.averaged:
            for weight, value in zip(self._objective.weights, self._average.values, strict=True):
                weight.assign(value)

    def scores(
        self,
        batches: Iterable[Any],
        batch_size: int,
        should_stop: Callable[[], bool] = lambda: False,
        *,
        averaged: bool,
    ) -> dict[str, float] | None:
        """The scores over `batches`; None if stopped meanwhile.

        Args:
          batches: `(inputs, targets)`, each part of the data once.
          batch_size: of the state that they carry.
          should_stop: is asked before every batch.
          averaged: of the averaged weights, or of the last ones.
        """
        evaluate = self._evaluate_average if averaged else self._evaluate
        means = means_over(
            batches, self._objective.initial_state(batch_size), evaluate, should_stop
        )
        return None if means is None else self._objective.scores(means)

    def _of_last(self, batch: Any, state: State) -> Evaluation:
        with using(self._precision):
            return self._objective.evaluation_sums(batch, state)

    def _of_average(self, batch: Any, state: State) -> Evaluation:
        values = [tf.convert_to_tensor(value) for value in self._average.values]
        mapping = list(zip(self._objective.weights, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return self._of_last(batch, state)


def weights_of(objective: TrainingObjective) -> dict[str, Any]:
    """The variables of a network under the names that checkpoints give them."""
    return {
        "weights": [variable.value for variable in objective.weights],
        "statistics": [variable.value for variable in objective.statistics],
    }
