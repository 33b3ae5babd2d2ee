"""Operations on many edges' channels side by side, for `fused_cell.py`."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_darts.runtime.precision import full, like
from tf_darts.spaces.convolutional.convolutions import pointwise
from tf_darts.spaces.convolutional.operation import pad

# Up to so many channels one product, mostly with zeros, is faster than one for each edge.
_WIDE_PRODUCT = 64


def concat(values: Sequence[tf.Tensor], axis: int) -> tf.Tensor:
    """`tf.concat` of equal sizes, whose gradient is one operation in place of three for each."""
    if len(values) == 1:
        return values[0]

    @tf.custom_gradient
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
    if channels <= _WIDE_PRODUCT:
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
    apart = tf.constant(np.eye(count).reshape(count, 1, count, 1), blocks.dtype)
    return tf.reshape(blocks * apart, [count * rows, count * columns])


def tile_channels(inputs: tf.Tensor, count: int) -> tf.Tensor:
    """`count` copies of all channels side by side."""
    _, height, width, channels = inputs.shape

    @tf.custom_gradient
    def tile(inputs: tf.Tensor) -> tf.Tensor:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            copies = tf.reshape(upstream, [-1, height, width, count, channels])
            return tf.reduce_sum(copies, axis=3)

        return tf.tile(inputs, [1, 1, 1, count]), gradient

    return tile(inputs)


def max_pool(inputs: tf.Tensor, stride: int) -> tf.Tensor:
    """3×3 max pooling with one pixel of padding, and a gradient that is fast on every processor.

    TensorFlow's scatters in one thread where oneDNN is off. This one compares: a pixel gets what
    each of the nine windows around it received whose first maximum it is. Two XLA clusters: in one,
    XLA finds the winners of nine windows anew for every pixel, which is up to nine times slower.
    """

    @tf.custom_gradient
    def pool(inputs: tf.Tensor) -> tf.Tensor:
        @tf.custom_gradient
        def route(upstream: tf.Tensor) -> tf.Tensor:
            # Linear in `upstream`, and constant in `inputs` wherever it can be differentiated.
            # Not in 16 bits, which XLA makes ten times slower on the CPU; the numbers are the same.
            def won(second: tf.Tensor) -> tf.Tensor:
                return like(_collect(full(second), winner, stride), inputs)

            winner = _winners(full(inputs), stride)
            size = inputs.shape[1:3]
            return like(_spread(full(upstream), winner, stride, *size), inputs), won

        padded = pad(inputs, 1, 1, inputs.dtype.min)
        return tf.nn.max_pool2d(padded, 3, stride, "VALID"), route

    return pool(inputs)


def _window(padded: tf.Tensor, k: int, stride: int, rows: int, columns: int) -> tf.Tensor:
    """The k-th pixel, row by row, of every 3×3 window of padded images."""
    i, j = divmod(k, 3)
    return padded[
        :, i : i + stride * (rows - 1) + 1 : stride, j : j + stride * (columns - 1) + 1 : stride
    ]


@tf.function(jit_compile=True, autograph=False)
def _winners(inputs: tf.Tensor, stride: int) -> tf.Tensor:
    """Which of its nine pixels is each window's first maximum."""
    rows, columns = (-(-pixels // stride) for pixels in inputs.shape[1:3])
    padded = pad(inputs, 1, 1, inputs.dtype.min)
    best = _window(padded, 0, stride, rows, columns)
    winner = tf.zeros_like(best, tf.int32)
    for k in range(1, 9):
        value = _window(padded, k, stride, rows, columns)
        winner = tf.where(value > best, k, winner)
        best = tf.maximum(best, value)
    return winner


@tf.function(jit_compile=True, autograph=False)
def _collect(values: tf.Tensor, winner: tf.Tensor, stride: int) -> tf.Tensor:
    """From every window the value of the pixel that won."""
    padded = pad(values, 1, 1)
    total = tf.zeros_like(winner, values.dtype)
    for k in range(9):
        value = _window(padded, k, stride, *winner.shape[1:3])
        total += tf.where(tf.equal(winner, k), value, tf.zeros_like(value))
    return total


@tf.function(jit_compile=True, autograph=False)
def _spread(
    upstream: tf.Tensor, winner: tf.Tensor, stride: int, height: int, width: int
) -> tf.Tensor:
    """The transpose of `_collect`: to every pixel what the windows received that it won."""
    zeros = tf.zeros_like(upstream)
    total = tf.zeros([tf.shape(upstream)[0], height, width, upstream.shape[-1]], upstream.dtype)
    for k in range(9):
        part = tf.where(tf.equal(winner, k), upstream, zeros)
        total += _place(part, *divmod(k, 3), stride, height, width)
    return total


def _place(part: tf.Tensor, i: int, j: int, stride: int, height: int, width: int) -> tf.Tensor:
    """Puts window (y, x)'s value on pixel (y·stride + i - 1, x·stride + j - 1)."""
    for axis, (offset, pixels) in enumerate(((i, height), (j, width)), start=1):
        windows = part.shape[axis]
        if stride == 2:
            # Zeros between the windows.
            part = tf.stack([part, tf.zeros_like(part)], axis=axis + 1)
            shape = [-1, *part.shape[1:]]
            part = tf.reshape(part, [*shape[:axis], 2 * windows, *shape[axis + 2 :]])
        margins = [[0, 0]] * 4
        margins[axis] = [2, 2]
        part = tf.pad(part, margins)
        begin = [0] * 4
        begin[axis] = 3 - offset
        size = [-1] * 4
        size[axis] = pixels
        part = tf.slice(part, begin, size)
    return part
