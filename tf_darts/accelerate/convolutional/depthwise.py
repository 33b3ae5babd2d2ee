"""Depthwise convolution at stride 1, with a filter gradient that is fast for wide filters."""

import functools
from collections.abc import Sequence

import tensorflow as tf

from tf_darts.runtime.custom_gradient import custom_gradient
from tf_darts.runtime.lean_graphs import constant
from tf_darts.spaces.convolutional.operations.convolutions import DepthwiseSeparable
from tf_darts.spaces.fast_forms import register

# oneDNN's gradient of a depthwise filter is four times slower for filters wider than this.
_FAST_WIDTH = 3


def _applies(inputs: tf.Tensor, kernel: tf.Tensor, stride: int, dilation: int) -> bool:
    del inputs
    return stride == dilation == 1 and kernel.shape[1] > _FAST_WIDTH


@register(DepthwiseSeparable, "filters wider than 3, stride 1, not dilated", _applies)
def depthwise_same(
    inputs: tf.Tensor, kernel: tf.Tensor, stride: int = 1, dilation: int = 1
) -> tf.Tensor:
    """`convolutions.depthwise` at stride 1, with a faster filter gradient.

    Args:
      inputs: [B, H, W, C].
      kernel: [k, k, C, 1], k odd.
      stride: 1.
      dilation: 1.
    """
    del stride, dilation
    attributes = {"strides": [1, 1, 1, 1], "padding": "SAME"}

    @functools.partial(custom_gradient, of_arguments=True)
    def convolve(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            by_inputs = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                input_sizes=tf.shape(inputs), filter=kernel, out_backprop=upstream, **attributes
            )
            return by_inputs, _filter_gradient(inputs, kernel.shape, upstream)

        return tf.nn.depthwise_conv2d(inputs, kernel, **attributes), gradient

    return convolve(inputs, kernel)


def _filter_gradient(inputs: tf.Tensor, shape: Sequence[int], upstream: tf.Tensor) -> tf.Tensor:
    """A wide filter's gradient, three columns at a time: each a narrow filter on shifted inputs."""
    height, width, channels, _ = shape
    parts = []
    for start in range(0, width, _FAST_WIDTH):
        # Where fewer than three columns are left, some are computed again.
        first = min(start, width - _FAST_WIDTH)
        part = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
            input=_shifted(inputs, height // 2, width // 2 - first, after=upstream),
            filter_sizes=[height, _FAST_WIDTH, channels, 1],
            out_backprop=upstream,
            strides=[1, 1, 1, 1],
            padding="VALID",
        )
        parts.append(part if start == first else part[:, start - first :])
    return tf.concat(parts, axis=1)


def _shifted(inputs: tf.Tensor, rows: int, left: int, after: tf.Tensor) -> tf.Tensor:
    """Images with a border of `rows` above and below, and two columns more.

    Of these `left` are put on the left and the others on the right; where one of the numbers is
    negative, columns are cut off there. It needs only what the forward pass has, and must not be
    made, and kept, that early: it waits for `after`.
    """
    right = _FAST_WIDTH - 1 - left
    border = constant([[0, 0], [rows, rows], [max(left, 0), max(right, 0)], [0, 0]], tf.int32)
    with tf.control_dependencies([after]):
        if left < 0 or right < 0:
            inputs = inputs[:, :, max(-left, 0) : inputs.shape[2] - max(-right, 0)]
        return tf.pad(inputs, border)
