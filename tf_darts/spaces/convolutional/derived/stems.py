"""What turns images into the inputs of the first cell."""

from typing import Any

import keras
import tensorflow as tf

from tf_darts.runtime.precision import activations, like
from tf_darts.spaces.convolutional.layout import halved
from tf_darts.spaces.convolutional.operations.base import child_seed, pad, uniform
from tf_darts.spaces.convolutional.operations.batch_norm import BatchNorm

Shape = tuple[int | None, ...]


class ConvBatchNorm(keras.layers.Layer):
    """3×3 convolution padded by one pixel, batch norm.

    Args:
      channels: C', how many come out.
      stride: 1 or 2.
      seed: integer for the initial weights; None draws from Keras' global generator.
    """

    SIZE = 3

    def __init__(
        self, channels: int, stride: int = 1, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        self.stride = stride
        self.seed = seed
        self.norm = BatchNorm(dtype=self.dtype_policy, name="norm")

    def build(self, input_shape: Shape) -> None:
        depth = input_shape[-1]
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.SIZE, self.SIZE, depth, self.channels),
            initializer=uniform(child_seed(self.seed, "kernel"), self.SIZE**2 * depth),
        )
        self.norm.build(self.compute_output_shape(input_shape))

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        kernel = like(tf.convert_to_tensor(self.kernel), inputs)
        value = tf.nn.conv2d(pad(inputs, 1, 1), kernel, self.stride, "VALID")
        return self.norm(value, training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, *size, _ = input_shape
        if self.stride == 2:
            size = [halved(pixels) for pixels in size]
        return (batch, *size, self.channels)

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        names = ("channels", "stride", "seed")
        return super().get_config() | {name: getattr(self, name) for name in names}


class Stem(keras.layers.Layer):
    """Convolutions one after another, a ReLU between them.

    Args:
      channels: what comes out of each; the cells get the output of the last.
      stride: of all of them.
      seed: integer for the initial weights; None draws from Keras' global generator.
    """

    def __init__(
        self, channels: tuple[int, ...], stride: int = 1, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.channels = tuple(channels)
        self.stride = stride
        self.seed = seed
        self.convolutions = [
            ConvBatchNorm(
                depth,
                stride,
                seed=child_seed(seed, i),
                dtype=self.dtype_policy,
                name=f"convolution_{i}",
            )
            for i, depth in enumerate(self.channels)
        ]

    def build(self, input_shape: Shape) -> None:
        for layer, shape in self.layer_shapes(input_shape):
            layer.build(shape)

    def layer_shapes(self, shape: Shape) -> list[tuple[keras.layers.Layer, Shape]]:
        """The convolutions in order, and the shape that each gets."""
        shapes = [shape]
        for layer in self.convolutions[:-1]:
            shapes.append(layer.compute_output_shape(shapes[-1]))
        return list(zip(self.convolutions, shapes, strict=True))

    def compute_output_shape(self, input_shape: Shape) -> tuple[Shape, Shape]:
        last, shape = self.layer_shapes(input_shape)[-1]
        output = last.compute_output_shape(shape)
        return (shape if len(self.convolutions) > 1 else output, output)

    def call(self, images: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns both inputs of the first cell.

        They are the outputs of the last two convolutions, or twice that of the only one.
        """
        previous = last = self.convolutions[0](activations(images), training=training)
        for layer in self.convolutions[1:]:
            previous, last = last, layer(tf.nn.relu(last), training=training)
        return previous, last

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        names = ("channels", "stride", "seed")
        return super().get_config() | {name: getattr(self, name) for name in names}
