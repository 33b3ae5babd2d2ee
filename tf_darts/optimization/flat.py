"""Many variables' values as one vector: one operation moves them all."""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from tf_darts.runtime.long_lists import Parts, concat, split


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
        if isinstance(values, Parts) and values.vector is not None:
            return values.vector
        if not values:
            return tf.zeros([0], keras.config.floatx())
        if len(values) == 1:
            return tf.reshape(values[0], [-1])
        line = tf.constant([-1])  # one for all: a graph of thousands of constants is slow to make
        return concat([v if v.shape.rank == 1 else tf.reshape(v, line) for v in values])

    def unflatten(self, vector: tf.Tensor) -> list[tf.Tensor]:
        """The values, in the variables' shapes.

        TensorFlow's gradient of this is one operation for each value that is no vector, and one
        for each group of neighbours.
        """
        if not self._sizes:
            return []
        # Of vectors there is nothing to reshape; of the others one constant for each shape.
        shapes = {s: tf.constant(s, tf.int32) for s in set(self._shapes) if len(s) != 1}
        return [
            part if len(shape) == 1 else tf.reshape(part, shapes[shape])
            for part, shape in zip(split(vector, self._sizes), self._shapes, strict=True)
        ]
