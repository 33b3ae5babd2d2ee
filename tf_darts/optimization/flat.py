"""Many variables' values as one vector: one operation moves them all."""

import math
from collections.abc import Callable, Mapping, Sequence

import keras
import tensorflow as tf

from tf_darts.runtime.custom_gradient import custom_gradient
from tf_darts.runtime.long_lists import GROUP, Parts, concat, split


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
        """The values, in the variables' shapes."""
        if not self._sizes:
            return []

        # Of vectors there is nothing to reshape; of the others one constant for each shape.
        shapes = {s: tf.constant(s, tf.int32) for s in set(self._shapes) if len(s) != 1}
        starts = range(0, len(self._sizes), GROUP)
        wholes = _split(vector, [sum(self._sizes[start : start + GROUP]) for start in starts])
        return [
            value
            for start, vector in zip(starts, wholes, strict=True)
            for value in self._cut(vector, slice(start, start + GROUP), shapes)
        ]

    def _cut(
        self, vector: tf.Tensor, here: slice, shapes: Mapping[tuple[int, ...], tf.Tensor]
    ) -> list[tf.Tensor]:
        """Some neighbours' values of a part of the vector."""

        @custom_gradient
        def cut(vector: tf.Tensor) -> tuple[list[tf.Tensor], Callable[..., tf.Tensor]]:
            parts = zip(tf.split(vector, self._sizes[here]), self._shapes[here], strict=True)
            values = [
                part if len(shape) == 1 else tf.reshape(part, shapes[shape])
                for part, shape in parts
            ]
            return values, lambda *upstream: self.flatten(upstream)

        return cut(vector)


def _split(vector: tf.Tensor, sizes: Sequence[int]) -> list[tf.Tensor]:
    """`split`, whose gradient is one operation in place of three for each part."""

    @custom_gradient
    def cut(vector: tf.Tensor) -> tuple[list[tf.Tensor], Callable[..., tf.Tensor]]:
        return split(vector, sizes), lambda *upstream: concat(upstream)

    return cut(vector)
