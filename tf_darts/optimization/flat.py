"""Many variables' values as one vector: one operation moves them all."""

import math
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf


class FlatLayout:
    """Where each of some variables stands in a vector of all their values.

    Args:
      variables: of one type, of known shapes.
    """

    def __init__(self, variables: Sequence[keras.Variable]) -> None:
        self._shapes = [tuple(variable.shape) for variable in variables]
        self._sizes = [math.prod(shape) for shape in self._shapes]
        self.size = sum(self._sizes)

    def __len__(self) -> int:
        """How many variables there are."""
        return len(self._shapes)

    def flatten(self, values: Sequence[tf.Tensor]) -> tf.Tensor:
        """The vector [size] of the variables' values."""
        if not values:
            return tf.zeros([0], keras.config.floatx())
        if len(values) == 1:
            return tf.reshape(values[0], [-1])
        line = tf.constant([-1])  # one for all: a graph of thousands of constants is slow to make
        return tf.concat([tf.reshape(value, line) for value in values], axis=0)

    def unflatten(self, vector: tf.Tensor) -> list[tf.Tensor]:
        """The values, in the variables' shapes."""
        if not self._sizes:
            return []

        @tf.custom_gradient
        def cut(vector: tf.Tensor) -> tuple[list[tf.Tensor], Callable[..., tf.Tensor]]:
            shapes = {shape: tf.constant(shape, tf.int32) for shape in set(self._shapes)}
            parts = zip(tf.split(vector, self._sizes), self._shapes, strict=True)
            values = [tf.reshape(part, shapes[shape]) for part, shape in parts]
            return values, lambda *upstream: self.flatten(upstream)

        return cut(vector)
