"""Batch norm of images that lie side by side in the channels (see `derived_stack.py`).

oneDNN's batch norm is fast where channels are a multiple of 16: at 36 its gradient takes three
times as long as at 144, and with a ReLU behind it the forward pass takes ten times as long. So it
measures k images' channels apart, and what is left is done in one XLA cluster each way.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_darts.runtime.custom_gradient import custom_gradient
from tf_darts.spaces.convolutional.operations.batch_norm import EPSILON, BatchNorm, StatisticsLedger


def folded_norm(
    inputs: tf.Tensor, layer: BatchNorm, factors: tf.Tensor | None = None, relu: bool = False
) -> tf.Tensor:
    """`layer` in training, in float32; moves its running statistics.

    There is no second derivative: `LookupError` where one is asked for.

    Args:
      inputs: [B/k, H, W, k·C].
      layer: of C channels, with scale and offset.
      factors: what each image's result is multiplied with, [B]; None: nothing. It has no gradient.
      relu: whether a ReLU follows; not with `factors`.
    """
    groups, channels = inputs.shape[0], layer.scale.shape[0]
    wide = None
    if factors is not None:
        wide = tf.repeat(tf.reshape(factors, [groups, 1, 1, -1]), channels, axis=-1)

    @custom_gradient
    def normalize(inputs: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) -> Any:
        return _normalize(inputs, scale, offset, wide, relu)

    outputs, mean, variance = normalize(
        inputs, tf.convert_to_tensor(layer.scale), tf.convert_to_tensor(layer.offset)
    )
    StatisticsLedger.record([layer.running_mean], mean)
    StatisticsLedger.record([layer.running_variance], variance)
    return outputs


def _normalize(
    inputs: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, wide: tf.Tensor | None, relu: bool
) -> tuple[tuple[tf.Tensor, ...], Callable[..., tuple[tf.Tensor, ...]]]:
    """The result, the means and the unbiased variances [C], and their gradient function.

    Args:
      inputs: [B/k, H, W, k·C].
      scale: [C].
      offset: [C].
      wide: what results are multiplied with, [B/k, 1, 1, k·C], or None.
      relu: whether a ReLU follows.
    """
    channels, count = scale.shape[0], inputs.shape.num_elements() // scale.shape[0]
    unit = tf.ones([inputs.shape[-1]])
    measured = tf.raw_ops.FusedBatchNormV3(
        x=inputs, scale=unit, offset=unit, mean=[], variance=[], epsilon=EPSILON
    )
    mean, unbiased, shift, variance, factor, addend = _fold(
        measured.batch_mean, measured.batch_variance, scale, offset, count
    )
    ends = (factor, addend) if wide is None else (factor * wide, addend * wide)
    outputs = _apply(inputs, shift, *ends, relu)

    def gradient(upstream: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, ...]:
        if wide is not None:
            upstream *= wide
        if relu:
            upstream = tf.raw_ops.ReluGrad(gradients=upstream, features=outputs)
        # With the moments as constants: what is asked of it is the two sums over pixels.
        sums = tf.raw_ops.FusedBatchNormGradV3(
            y_backprop=upstream,
            x=inputs,
            scale=unit,
            reserve_space_1=shift,
            reserve_space_2=variance,
            reserve_space_3=measured.reserve_space_3,
            epsilon=EPSILON,
            is_training=False,
        )
        by_scale, by_offset, slope, constant = _fold_gradient(
            shift, variance, factor, sums.scale_backprop, sums.offset_backprop, channels, count
        )
        by_inputs = _combine(upstream, inputs, factor, slope, constant)
        return tuple(_prevent_gradient(slope) for slope in (by_inputs, by_scale, by_offset))

    return (outputs, mean, unbiased), gradient


def _prevent_gradient(slope: tf.Tensor) -> tf.Tensor:
    # The moments are constants to TensorFlow's kernel: what it would give is wrong.
    message = "Images side by side have no second derivative; use --accelerate=off."
    return tf.raw_ops.PreventGradient(input=slope, message=message)


# The [k·C] tables are made in clusters of their own: XLA would make them again for every pixel.


@tf.function(jit_compile=True, autograph=False)
def _fold(
    means: tf.Tensor, variances: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, count: int
) -> tuple[tf.Tensor, ...]:
    """The batch's moments from those of the images that lie side by side.

    Args:
      means: [k·C].
      variances: unbiased, [k·C].
      scale: [C].
      offset: [C].
      count: the batch's pixels.

    Returns:
      Mean and unbiased variance [C]; mean, variance, scale over deviation, offset [k·C].
    """
    channels = scale.shape[0]
    images = means.shape[0] // channels
    pixels = count // images
    means = tf.reshape(means, [images, channels])
    mean = tf.reduce_mean(means, axis=0)
    image_variances = tf.reshape(variances, [images, channels]) * ((pixels - 1) / pixels)
    variance = tf.reduce_mean(image_variances + tf.square(means - mean), axis=0)
    factor = scale * tf.math.rsqrt(variance + EPSILON)
    tables = (tf.tile(value, [images]) for value in (mean, variance, factor, offset))
    return (mean, variance * (count / (count - 1)), *tables)


@tf.function(jit_compile=True, autograph=False)
def _apply(
    inputs: tf.Tensor, shift: tf.Tensor, factor: tf.Tensor, addend: tf.Tensor, relu: bool
) -> tf.Tensor:
    outputs = (inputs - shift) * factor + addend
    return tf.nn.relu(outputs) if relu else outputs


@tf.function(jit_compile=True, autograph=False)
def _fold_gradient(
    mean: tf.Tensor,
    variance: tf.Tensor,
    factor: tf.Tensor,
    by_scale: tf.Tensor,
    by_offset: tf.Tensor,
    channels: int,
    count: int,
) -> tuple[tf.Tensor, ...]:
    """The gradients by scale and offset [C], and the last two tables [k·C] of `_combine`.

    With x̂ the normalised inputs and g the upstream gradient, the gradient by the inputs is
    factor · (g - Σg/N - x̂ · Σ(g·x̂)/N): a·g + b·inputs + c.
    """
    images = mean.shape[0] // channels
    by_scale, by_offset = (
        tf.reduce_sum(tf.reshape(value, [images, channels]), axis=0)
        for value in (by_scale, by_offset)
    )
    slope = -factor * tf.math.rsqrt(variance + EPSILON) * tf.tile(by_scale, [images]) / count
    constant = -factor * tf.tile(by_offset, [images]) / count - slope * mean
    return by_scale, by_offset, slope, constant


@tf.function(jit_compile=True, autograph=False)
def _combine(
    upstream: tf.Tensor, inputs: tf.Tensor, a: tf.Tensor, b: tf.Tensor, c: tf.Tensor
) -> tf.Tensor:
    return a * upstream + b * inputs + c
