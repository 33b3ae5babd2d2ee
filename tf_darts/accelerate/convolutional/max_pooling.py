"""Max pooling with a gradient that is fast on every processor, for `relaxed_cell.py`."""

import tensorflow as tf

from tf_darts.runtime.custom_gradient import custom_gradient
from tf_darts.runtime.precision import full, like
from tf_darts.spaces.convolutional.operations.base import pad


def max_pool(inputs: tf.Tensor, stride: int) -> tf.Tensor:
    """3×3 max pooling with one pixel of padding, and a gradient that is fast on every processor.

    TensorFlow's scatters in one thread where oneDNN is off. This one compares: a pixel gets what
    each of the nine windows around it received whose first maximum it is. Two XLA clusters: in one,
    XLA finds the winners of nine windows anew for every pixel, which is up to nine times slower.
    """

    @custom_gradient
    def pool(inputs: tf.Tensor) -> tf.Tensor:
        @custom_gradient
        def route(upstream: tf.Tensor) -> tf.Tensor:
            # Linear in `upstream`, and constant in `inputs` wherever it can be differentiated.
            # Not in 16 bits, which XLA makes ten times slower on the CPU; the numbers are the same.
            def second_gradient(second: tf.Tensor) -> tf.Tensor:
                return like(_collect(full(second), winner, stride), inputs)

            winner = _winners(full(inputs), stride)
            size = inputs.shape[1:3]
            return like(_spread(full(upstream), winner, stride, *size), inputs), second_gradient

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
