"""The five operations on an edge, and the convolution that most of the network is made of.

All take and give [B, H, W, C] at stride 1. Where batch norms have no scale and offset, as in the
cells of the search, their convolutions have a bias, as the authors' have. `nor_conv` is
ReLU, convolution, batch norm; poolings have no batch norm, in the search neither.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_darts.errors import check_count
from tf_darts.runtime.precision import like
from tf_darts.spaces.convolutional.operations.base import (
    Operation,
    check_operation_name,
    child_seed,
    pad,
    uniform,
)
from tf_darts.spaces.convolutional.operations.batch_norm import BatchNorm
from tf_darts.spaces.convolutional.operations.pooling import AveragePooling
from tf_darts.spaces.convolutional.operations.registry import Identity, Zero


def convolve(inputs: tf.Tensor, kernel: Any, stride: int = 1) -> tf.Tensor:
    """A dense convolution, kernel [k, k, C, C'] with k odd, padded by (k-1)/2 on each side.

    TensorFlow's "SAME" is not symmetric at stride 2.
    """
    kernel = like(tf.convert_to_tensor(kernel), inputs)
    if stride == 1:
        return tf.nn.conv2d(inputs, kernel, 1, "SAME")
    reach = kernel.shape[0] // 2
    return tf.nn.conv2d(pad(inputs, reach, reach), kernel, stride, "VALID")


class ReluConvNorm(Operation):
    """ReLU, dense convolution, batch norm (`nor_conv_1x1`, `nor_conv_3x3`).

    Args:
      channels: C', how many come out.
      size: the kernel is size × size; odd.
    """

    def __init__(self, channels: int, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        self.size = size
        self.norm = BatchNorm(self.affine, dtype=self.dtype_policy, name="norm")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        fan_in = self.size**2 * input_shape[-1]
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.size, self.size, input_shape[-1], self.channels),
            initializer=uniform(child_seed(self.seed, "kernel"), fan_in),
        )
        if not self.affine:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.channels,),
                initializer=uniform(child_seed(self.seed, "bias"), fan_in),
            )
        self.norm.build(self.compute_output_shape(input_shape))

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        value = convolve(tf.nn.relu(inputs), self.kernel, self.stride)
        bias = None if self.affine else tf.convert_to_tensor(self.bias)
        return self.norm(value, training=training, bias=bias)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*super().compute_output_shape(input_shape)[:-1], self.channels)

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        return super().get_config() | {"channels": self.channels, "size": self.size}


def _convolution(size: int) -> Callable[..., Operation]:
    return lambda channels, **kwargs: ReluConvNorm(channels, size, **kwargs)


# (channels, affine=, seed=, ...) -> layer
OPERATIONS: dict[str, Callable[..., Operation]] = {
    "none": lambda channels, **kwargs: Zero(**kwargs),
    "skip_connect": lambda channels, **kwargs: Identity(**kwargs),
    "nor_conv_1x1": _convolution(1),
    "nor_conv_3x3": _convolution(3),
    "avg_pool_3x3": lambda channels, **kwargs: AveragePooling(**kwargs),
}


def make_operation(name: str, channels: int, /, **kwargs: Any) -> Operation:
    """The layer of an operation.

    Args:
      name: one of `OPERATIONS`.
      channels: C.
      **kwargs: `affine`, whether its batch norm has scale and offset; `seed`, of its initial
        weights; and what every Keras layer takes.

    Raises:
      UserError: there is no such operation, or a number is out of range.
    """
    check_operation_name(name, OPERATIONS)
    check_count("channels", channels, "an operation")
    return OPERATIONS[name](channels, **kwargs)
