"""Adds an ordinary 3x3 convolution to the image space and searches with it: about a minute."""

import argparse

import keras
import tensorflow as tf

import tf_darts
from tf_darts.testing import check_operation


class Convolution(tf_darts.Operation):
    """ReLU, convolution, batch norm: [B, H, W, C] to [B, H/stride, W/stride, C]."""

    def build(self, input_shape: tuple[int, ...]) -> None:
        shape, start = (3, 3, input_shape[-1], input_shape[-1]), keras.initializers.HeUniform
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=start(self.seed))
        self.norm = tf_darts.BatchNorm(self.affine, dtype=self.dtype_policy)
        self.norm.build(input_shape)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        value = keras.ops.conv(keras.ops.relu(inputs), self.kernel, self.stride, "same")
        return self.norm(value, training=training)

    def weight_uses(self, input_shape: tuple[int, ...]) -> list[tuple[int, int]]:
        _, height, width, channels = self.compute_output_shape(input_shape)
        return [(9 * channels**2, height * width), (2 * channels, 0)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps_per_epoch", type=int, default=0, help="0: all images")
    steps = parser.parse_args().steps_per_epoch
    small = {"channels": 4, "layers": 3, "epochs": 3, "steps_per_epoch": steps}
    check_operation(Convolution)
    tf_darts.add_operation("conv_3x3", Convolution)
    small |= {"hypergradient": "first_order", "run_dir": "runs/own_operation"}
    found = tf_darts.search(dataset="digits", **small)
    mixing = found.history[-1]["mixing"]["normal"]
    print("Weight of conv_3x3 on each edge:", [round(row[-1], 4) for row in mixing])
