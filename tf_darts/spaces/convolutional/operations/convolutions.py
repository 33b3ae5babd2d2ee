"""The operations that have weights, and what brings a cell's inputs to its size.

Padding is symmetric, (k-1)/2 pixels times the dilation on each side: TensorFlow's "SAME" is not, at
stride 2.
"""

from typing import Any

import keras
import tensorflow as tf

from tf_darts.errors import UserError, check_count
from tf_darts.runtime.precision import like
from tf_darts.spaces.convolutional.operations.base import Operation, child_seed, pad, uniform
from tf_darts.spaces.convolutional.operations.batch_norm import BatchNorm
from tf_darts.spaces.fast_forms import fast_form


class DepthwiseSeparable(Operation):
    """ReLU, depthwise convolution, 1×1 convolution, batch norm.

    Args:
      size: the depthwise kernel is size × size; odd.
      dilation: 1, or 2: taps are so far apart.
    """

    def __init__(self, size: int, dilation: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size
        self.dilation = dilation
        self.norm = BatchNorm(self.affine, dtype=self.dtype_policy, name="norm")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = input_shape[-1]
        self.depthwise_kernel = self.add_weight(
            name="depthwise_kernel",
            shape=(self.size, self.size, channels, 1),
            initializer=uniform(child_seed(self.seed, "depthwise"), self.size**2),
        )
        self.pointwise_kernel = self.add_weight(
            name="pointwise_kernel",
            shape=(channels, channels),
            initializer=uniform(child_seed(self.seed, "pointwise"), channels),
        )
        self.norm.build(input_shape)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        spread = depthwise(tf.nn.relu(inputs), self.depthwise_kernel, self.stride, self.dilation)
        return self.norm(pointwise(spread, self.pointwise_kernel), training=training)

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        return super().get_config() | {"size": self.size, "dilation": self.dilation}


def depthwise(inputs: tf.Tensor, kernel: Any, stride: int = 1, dilation: int = 1) -> tf.Tensor:
    """One filter for each channel, kernel [k, k, C, 1]; stride 1, 2, or dilation 2, or both 2."""
    if stride == 2 and dilation == 2:
        # Every tap falls on an even pixel.
        return depthwise(even_and_odd(inputs)[0], kernel)
    kernel = like(tf.convert_to_tensor(kernel), inputs)
    if (fast := fast_form(DepthwiseSeparable, inputs, kernel, stride, dilation)) is not None:
        return fast()
    if stride == 1 and dilation == 1:
        return tf.nn.depthwise_conv2d(inputs, kernel, [1, 1, 1, 1], "SAME")
    reach = dilation * (kernel.shape[0] - 1) // 2
    strides, dilations = [1, stride, stride, 1], [dilation, dilation]
    return tf.nn.depthwise_conv2d(
        pad(inputs, reach, reach), kernel, strides, "VALID", dilations=dilations
    )


def pointwise(inputs: tf.Tensor, kernel: Any) -> tf.Tensor:
    """A 1×1 convolution as a matrix product, which is faster; kernel [C, C']."""
    kernel = like(tf.convert_to_tensor(kernel), inputs)
    product = tf.matmul(tf.reshape(inputs, [-1, kernel.shape[0]]), kernel)
    return tf.reshape(product, [-1, *inputs.shape[1:3], kernel.shape[1]])


class SeparableConvolution(Operation):
    """A depthwise separable convolution, applied twice; the first carries the stride.

    Args:
      size: 3, 5 or 7.

    Examples:
      >>> SeparableConvolution(size=3, stride=2)(tf.ones([1, 8, 8, 4])).shape
      TensorShape([1, 4, 4, 4])
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size
        common = {"size": size, "affine": self.affine, "dtype": self.dtype_policy}
        self.first = DepthwiseSeparable(
            stride=self.stride, seed=child_seed(self.seed, 1), name="first", **common
        )
        self.second = DepthwiseSeparable(seed=child_seed(self.seed, 2), name="second", **common)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.first.build(input_shape)
        self.second.build(self.first.compute_output_shape(input_shape))

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.second(self.first(inputs, training=training), training=training)

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        return super().get_config() | {"size": self.size}


class DilatedConvolution(DepthwiseSeparable):
    """A depthwise separable convolution with dilation 2, applied once.

    Args:
      size: 3 or 5, so the field is 5 or 9 pixels wide.
    """

    def __init__(self, size: int, dilation: int = 2, **kwargs: Any) -> None:
        super().__init__(size, dilation, **kwargs)


class FactorizedConvolution(Operation):
    """ReLU, 1×7 convolution, 7×1 convolution, batch norm: an operation of AmoebaNet's cells."""

    SIZE = 7

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.norm = BatchNorm(self.affine, dtype=self.dtype_policy, name="norm")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = input_shape[-1]

        def kernel(name: str, height: int, width: int) -> keras.Variable:
            return self.add_weight(
                name=name,
                shape=(height, width, channels, channels),
                initializer=uniform(child_seed(self.seed, name), self.SIZE * channels),
            )

        self.row_kernel = kernel("row_kernel", 1, self.SIZE)
        self.column_kernel = kernel("column_kernel", self.SIZE, 1)
        self.norm.build(input_shape)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        reach, value = self.SIZE // 2, tf.nn.relu(inputs)
        for kernel, margins, strides in (
            (self.row_kernel, (0, reach), (1, self.stride)),
            (self.column_kernel, (reach, 0), (self.stride, 1)),
        ):
            kernel = like(tf.convert_to_tensor(kernel), value)
            value = tf.nn.conv2d(pad(value, *margins), kernel, strides, "VALID")
        return self.norm(value, training=training)


class ReluConvBatchNorm(Operation):
    """ReLU, 1×1 convolution, batch norm: brings a cell's input to the cell's channels.

    Args:
      channels: C', how many come out.
    """

    def __init__(self, channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        self.norm = BatchNorm(self.affine, dtype=self.dtype_policy, name="norm")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], self.channels),
            initializer=uniform(child_seed(self.seed, "kernel"), input_shape[-1]),
        )
        self.norm.build((*input_shape[:-1], self.channels))

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        value = tf.nn.relu(inputs)
        if self.stride == 2:
            value, _ = even_and_odd(value)
        return self.norm(pointwise(value, self.kernel), training=training)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*super().compute_output_shape(input_shape)[:-1], self.channels)

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        return super().get_config() | {"channels": self.channels}


class FactorizedReduction(Operation):
    """Halves the resolution: ReLU, two 1×1 stride-2 convolutions, concatenated, batch norm.

    The second one reads the pixels one down and one to the right; where the size is odd, a row
    and a column of zeros is what it finds behind the last ones.

    Args:
      channels: C', how many come out; even.
    """

    def __init__(self, channels: int, stride: int = 2, **kwargs: Any) -> None:
        super().__init__(stride, **kwargs)
        check_count("channels", channels, "a reduction")
        if channels % 2 or stride != 2:
            raise UserError(
                f"A reduction with {channels} channels and stride {stride}: give an even number of"
                " channels, and stride 2."
            )
        self.channels = channels
        self.norm = BatchNorm(self.affine, dtype=self.dtype_policy, name="norm")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.even_kernel, self.odd_kernel = (
            self.add_weight(
                name=name,
                shape=(input_shape[-1], self.channels // 2),
                initializer=uniform(child_seed(self.seed, name), input_shape[-1]),
            )
            for name in ("even_kernel", "odd_kernel")
        )
        self.norm.build((*input_shape[:-1], self.channels))

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        even, odd = even_and_odd(tf.nn.relu(inputs))
        halves = [pointwise(even, self.even_kernel), pointwise(odd, self.odd_kernel)]
        return self.norm(tf.concat(halves, axis=-1), training=training)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*super().compute_output_shape(input_shape)[:-1], self.channels)

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        return super().get_config() | {"channels": self.channels}


def even_and_odd(inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Every second pixel from the first on, and from the second on; as many of these."""
    if (fast := fast_form(FactorizedReduction, inputs)) is not None:
        return fast()
    height, width = inputs.shape[1:3]
    padded = tf.pad(inputs, [[0, 0], [0, height % 2], [0, width % 2], [0, 0]])
    return padded[:, ::2, ::2], padded[:, 1::2, 1::2]
