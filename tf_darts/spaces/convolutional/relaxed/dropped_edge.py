"""Edges of which something is dropped in training: whole images' paths, or pixels of the skip.

What is drawn comes with an edge's row: a rate, and two whole numbers below 2²⁴, which float32 has
exactly. An edge's own number is folded into them, so edges and cells draw apart; a cell that is
computed again draws the same.
"""

from typing import Any

import keras
import tensorflow as tf

from tf_darts.runtime.precision import like
from tf_darts.spaces.convolutional.derived.cell import drop_path_factors
from tf_darts.spaces.edge_wrappers import EdgePlace, WrappedEdge

DRAW_NUMBERS = 2  # how many numbers a draw comes with


def draw_numbers(seed: tf.Tensor) -> list[tf.Tensor]:
    """A seed, int32 [2], as numbers of a row."""
    bits = tf.random.stateless_uniform([DRAW_NUMBERS], seed, 0, 2**24, tf.int32)
    return tf.unstack(tf.cast(bits, keras.config.floatx()))


class _DroppedEdge(WrappedEdge):
    """An edge that draws, with a rate and a draw's numbers behind the inner edge's row."""

    NUMBERS = 1 + DRAW_NUMBERS

    def __init__(self, inner: keras.layers.Layer, place: EdgePlace, **kwargs: Any) -> None:
        super().__init__(inner, dtype=place.dtype, **kwargs)
        self.place = place
        unknown = place.seed is None
        self._number = int(keras.random.randint([], 0, 2**31 - 1)) if unknown else place.seed

    @property
    def stride(self) -> int:
        return self.place.stride

    def _seed(self, row: tf.Tensor) -> tf.Tensor:
        drawn = tf.cast(tf.round(row[-DRAW_NUMBERS:]), tf.int32)
        return tf.random.experimental.stateless_fold_in(drawn, self._number)


class DropPathEdge(_DroppedEdge):
    """Of an image the whole edge is dropped, or multiplied by 1/(1 - rate)."""

    def call(self, inputs: tf.Tensor, mixing: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the edge's output [B, H', W', C].

        Args:
          inputs: [B, H, W, C].
          mixing: the inner edge's row, the rate, and the draw's numbers.
          training: drops, and batch or running statistics.
        """
        outputs = self.inner(inputs, mixing[: -self.NUMBERS], training=training)
        if not training:
            return outputs
        rate, batch = mixing[-self.NUMBERS], tf.shape(outputs)[0]
        factors = drop_path_factors(self._seed(mixing), rate, 1, batch, mixing.dtype)
        return outputs * like(tf.reshape(factors, [-1, 1, 1, 1]), outputs)


class SkipDropoutEdge(_DroppedEdge):
    """Numbers of the identity among the candidates are dropped, or multiplied by 1/(1 - rate).

    At stride 2, where the skip connection is no identity, nothing is.
    """

    SKIP = "skip_connect"

    def call(self, inputs: tf.Tensor, mixing: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the edge's output [B, H', W', C]; arguments as of `DropPathEdge`."""
        own = mixing[: -self.NUMBERS]
        if not training or self.stride == 2 or self.SKIP not in self.place.operations:
            return self.inner(inputs, own, training=training)
        column = self.place.operations.index(self.SKIP)
        others = own * tf.one_hot(column, own.shape[0], 0.0, 1.0, dtype=own.dtype)
        keep = 1.0 - mixing[-self.NUMBERS]
        drawn = tf.random.stateless_uniform(
            tf.shape(inputs), self._seed(mixing), dtype=mixing.dtype
        )
        factors = tf.math.divide_no_nan(tf.cast(drawn < keep, keep.dtype), keep)
        skip = inputs * like(own[column] * factors, inputs)
        return self.inner(inputs, others, training=training) + skip
