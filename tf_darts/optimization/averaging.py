"""The average of the weights over the last part of a training (averaged SGD)."""

from collections.abc import Sequence

import keras
import tensorflow as tf


class WeightAverage:
    """The running mean of weights over the steps since `start` (docs/method.md section 5).

    Attributes:
      count: how many steps are in the mean; 0 means that averaging has not begun.
      values: the mean of each weight, in the weights' order.
    """

    def __init__(self, weights: Sequence[keras.Variable]) -> None:
        self._weights = weights
        self.started = tf.Variable(False, name="averaging")
        self.count = tf.Variable(0, dtype=tf.int64, name="averaged_steps")
        self.values = [
            tf.Variable(tf.zeros(weight.shape, weight.dtype), trainable=False) for weight in weights
        ]

    @property
    def variables(self) -> dict[str, object]:
        """What a checkpoint must hold."""
        return {"started": self.started, "count": self.count, "values": self.values}

    def start(self) -> None:
        """From now on `update` averages."""
        self.started.assign(True)

    def update(self) -> None:
        """Takes the weights of one more step into the mean, where averaging has started."""

        def average() -> None:
            count = self.count.assign_add(1)
            for mean, weight in zip(self.values, self._weights, strict=True):
                value = tf.convert_to_tensor(weight)
                mean.assign_add((value - mean) / tf.cast(count, value.dtype))

        tf.cond(self.started, lambda: (average(), True)[1], lambda: False)


def should_start_averaging(losses: Sequence[float], loss: float, patience: int) -> bool:
    """The non-monotone trigger: `loss` is above the best of all but the last `patience` losses.

    Args:
      losses: of the epochs before, oldest first.
      loss: of this epoch.
      patience: how many recent epochs do not count.
    """
    return len(losses) > patience and loss > min(losses[:-patience])
