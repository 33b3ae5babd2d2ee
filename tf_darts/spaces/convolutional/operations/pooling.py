"""3×3 pooling, padded by one pixel on each side that does not count."""

from typing import Any

import numpy as np
import tensorflow as tf

from tf_darts.spaces.convolutional.operations.base import Operation, pad
from tf_darts.spaces.convolutional.operations.batch_norm import BatchNorm


class Pooling(Operation):
    """3×3 pooling, in the search followed by a batch norm.

    Args:
      normalized: whether a batch norm follows.
    """

    def __init__(self, normalized: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.normalized = normalized
        if normalized:
            self.norm = BatchNorm(self.affine, dtype=self.dtype_policy, name="norm")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if self.normalized:
            self.norm.build(self.compute_output_shape(input_shape))

    def pool(self, inputs: tf.Tensor) -> tf.Tensor:
        """The pooling itself."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it pools")

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        pooled = self.pool(inputs)
        return self.norm(pooled, training=training) if self.normalized else pooled

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        return super().get_config() | {"normalized": self.normalized}


class MaxPooling(Pooling):
    """The largest of 3×3 pixels."""

    def pool(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.nn.max_pool2d(pad(inputs, 1, 1, inputs.dtype.min), 3, self.stride, "VALID")


class AveragePooling(Pooling):
    """The mean of 3×3 pixels; at the border, of those that are there."""

    def pool(self, inputs: tf.Tensor) -> tf.Tensor:
        mean = tf.nn.avg_pool2d(pad(inputs, 1, 1), 3, self.stride, "VALID")
        return mean * tf.constant(self._border_factor(*inputs.shape[1:3]), inputs.dtype)

    def _border_factor(self, height: int, width: int) -> np.ndarray:
        """9 over the number of pixels that are there, [H', W', 1]."""

        def window_pixels(pixels: int) -> np.ndarray:
            centres = np.arange(0, pixels, self.stride)
            return np.minimum(centres + 1, pixels - 1) - np.maximum(centres - 1, 0) + 1

        return (9.0 / np.outer(window_pixels(height), window_pixels(width)))[..., np.newaxis]
