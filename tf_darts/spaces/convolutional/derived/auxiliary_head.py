"""A second classifier half-way through the network, which helps it to train."""

from typing import Any

import keras
import tensorflow as tf

from tf_darts.runtime.precision import full, like
from tf_darts.spaces.convolutional.operations.base import child_seed, uniform
from tf_darts.spaces.convolutional.operations.batch_norm import BatchNorm
from tf_darts.spaces.convolutional.operations.convolutions import pointwise

Shape = tuple[int | None, ...]


def linear(outputs: int, inputs: int, seed: int | None, **kwargs: Any) -> keras.layers.Dense:
    """A dense layer whose weights are uniform in ±1/√inputs at the start."""
    return keras.layers.Dense(
        outputs,
        kernel_initializer=uniform(child_seed(seed, "kernel"), inputs),
        bias_initializer=uniform(child_seed(seed, "bias"), inputs),
        **kwargs,
    )


class AuxiliaryHead(keras.layers.Layer):
    """ReLU, average pool 5×5, conv 1×1, BN, ReLU, conv 2×2, BN or none, ReLU, linear.

    Where more than one pixel is left before the linear layer, because the images are larger than
    the paper's, their mean is taken.

    Args:
      classes: how many there are.
      stride: of the pooling.
      normalized: whether a batch norm follows the 2×2 convolution.
      seed: integer for the initial weights; None draws from Keras' global generator.
    """

    POOL, SIZE = 5, 2
    MIDDLE, FEATURES = 128, 768

    def __init__(
        self,
        classes: int,
        stride: int = 3,
        normalized: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.classes = classes
        self.stride = stride
        self.normalized = normalized
        self.seed = seed
        self.middle_norm = BatchNorm(dtype=self.dtype_policy, name="middle_norm")
        if normalized:
            self.norm = BatchNorm(dtype=self.dtype_policy, name="norm")
        self.classifier = linear(
            classes,
            self.FEATURES,
            child_seed(seed, "classifier"),
            dtype=self.dtype_policy,
            name="classifier",
        )

    @property
    def least_pixels(self) -> int:
        """The least height and width of an input."""
        return self.POOL + (self.SIZE - 1) * self.stride

    def build(self, input_shape: Shape) -> None:
        depth = input_shape[-1]
        self.middle_kernel, self.kernel = (
            self.add_weight(
                name=name,
                shape=shape,
                initializer=uniform(child_seed(self.seed, name), fan_in),
            )
            for name, shape, fan_in in (
                ("middle_kernel", (depth, self.MIDDLE), depth),
                (
                    "kernel",
                    (self.SIZE, self.SIZE, self.MIDDLE, self.FEATURES),
                    self.SIZE**2 * self.MIDDLE,
                ),
            )
        )
        self.middle_norm.build((None, None, None, self.MIDDLE))
        if self.normalized:
            self.norm.build((None, None, None, self.FEATURES))
        self.classifier.build((None, self.FEATURES))

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the logits [B, classes] of a cell's output [B, H, W, C]."""
        pooled = tf.nn.avg_pool2d(tf.nn.relu(inputs), self.POOL, self.stride, "VALID")
        middle = self.middle_norm(pointwise(pooled, self.middle_kernel), training=training)
        kernel = like(tf.convert_to_tensor(self.kernel), middle)
        features = tf.nn.conv2d(tf.nn.relu(middle), kernel, 1, "VALID")
        if self.normalized:
            features = self.norm(features, training=training)
        return self.classifier(tf.reduce_mean(full(tf.nn.relu(features)), axis=[1, 2]))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.classes)

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        names = ("classes", "stride", "normalized", "seed")
        return super().get_config() | {name: getattr(self, name) for name in names}
