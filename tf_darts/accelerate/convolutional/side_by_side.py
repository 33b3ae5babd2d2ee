"""Operations on many edges' channels side by side, for `relaxed_cell.py`."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_darts.runtime.custom_gradient import custom_gradient
from tf_darts.runtime.lean_graphs import constant
from tf_darts.runtime.precision import like
from tf_darts.spaces.convolutional.operations.convolutions import pointwise

# Up to so many channels one product, mostly with zeros, is faster than one for each edge.
_WIDE_PRODUCT = 48


class Column(NamedTuple):
    """One operation's mixing weights on all edges.

    Attributes:
      by_edge: [n].
      by_channel: of each edge C times, [n·C].
    """

    by_edge: tf.Tensor
    by_channel: tf.Tensor


def columns_of(mixing: tf.Tensor, channels: int) -> list[Column]:
    """The columns of mixing weights [n, operations], for edges of so many channels each."""
    edges, operations = mixing.shape
    by_edge = tf.transpose(mixing)
    copies = constant(np.ones([1, 1, channels]), mixing.dtype)
    by_channel = tf.reshape(
        tf.reshape(by_edge, [operations, edges, 1]) * copies, [operations, edges * channels]
    )
    return [Column(*one) for one in zip(*map(tf.unstack, (by_edge, by_channel)), strict=True)]


def concat(values: Sequence[tf.Tensor], axis: int) -> tf.Tensor:
    """`tf.concat` of equal sizes, whose gradient is one operation in place of three for each."""
    if len(values) == 1:
        return values[0]

    @functools.partial(custom_gradient, of_arguments=True)
    def join(*values: tf.Tensor) -> tf.Tensor:
        def gradient(upstream: tf.Tensor) -> list[tf.Tensor]:
            return tf.split(upstream, len(values), axis=axis)

        return tf.concat(values, axis=axis), gradient

    return join(*values)


def wide_pointwise(inputs: tf.Tensor, kernels: Sequence[tf.Tensor]) -> tf.Tensor:
    """A 1×1 convolution on each edge's channels.

    Args:
      inputs: [B, H, W, n·C].
      kernels: n of [C, C'].
    """
    _, height, width, channels = inputs.shape
    if channels <= _WIDE_PRODUCT or len(kernels) == 1:
        return pointwise(inputs, _block_diagonal(kernels))
    parts = tf.split(tf.reshape(inputs, [-1, channels]), len(kernels), axis=1)
    products = [
        tf.matmul(part, like(kernel, part)) for part, kernel in zip(parts, kernels, strict=True)
    ]
    wide = concat(products, axis=1)
    return tf.reshape(wide, [-1, height, width, wide.shape[1]])


def _block_diagonal(kernels: Sequence[tf.Tensor]) -> tf.Tensor:
    """Matrices [C, C'], n of them, as one [n·C, n·C'] that keeps the edges apart."""
    count, (rows, columns) = len(kernels), kernels[0].shape
    if count == 1:
        return kernels[0]
    blocks = tf.reshape(tf.stack(kernels), [count, rows, 1, columns])
    diagonal = tf.constant(np.eye(count).reshape(count, 1, count, 1), blocks.dtype)
    return tf.reshape(blocks * diagonal, [count * rows, count * columns])


def tile_channels(inputs: tf.Tensor, count: int) -> tf.Tensor:
    """`count` copies of all channels side by side."""
    _, height, width, channels = inputs.shape

    @functools.partial(custom_gradient, of_arguments=True)
    def tile(inputs: tf.Tensor) -> tf.Tensor:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            copies = tf.reshape(upstream, [-1, height, width, count, channels])
            return tf.reduce_sum(copies, axis=3)

        return tf.tile(inputs, [1, 1, 1, count]), gradient

    return tile(inputs)
