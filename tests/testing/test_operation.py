"""The check of operations: it passes ours, and says of each kind of fault what it is."""

import keras
import pytest
import tensorflow as tf

from tf_darts.spaces.convolutional.operations.base import Operation, uniform
from tf_darts.spaces.convolutional.operations.batch_norm import BatchNorm
from tf_darts.spaces.convolutional.operations.registry import OPERATIONS
from tf_darts.testing import check_operation


class Linear(Operation):
    """ReLU, a product of the channels, batch norm: nothing is wrong with it."""

    def build(self, input_shape):
        channels = input_shape[-1]
        self.kernel = self.add_weight(
            name="kernel", shape=(channels, channels), initializer=uniform(self.weight_seed, 4)
        )
        self.norm = self.make_norm()
        self.norm.build(input_shape)

    weight_seed = property(lambda self: self.seed)

    def make_norm(self):
        return BatchNorm(self.affine, dtype=self.dtype_policy)

    def call(self, inputs, training=False):
        return self.norm(self.product(inputs), training=training)

    def product(self, inputs):
        return tf.nn.relu(inputs)[:, :: self.stride, :: self.stride] @ self.kernel

    def weight_uses(self, input_shape):
        _, height, width, channels = self.compute_output_shape(input_shape)
        return [(channels**2, height * width), (2 * channels, 0)]


class TooLarge(Linear):
    def product(self, inputs):
        return tf.nn.relu(inputs) @ self.kernel


class RoundedDown(Linear):
    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return batch, height // self.stride, width // self.stride, channels


class Miscounted(Linear):
    def weight_uses(self, input_shape):
        return []


class HalfCounted(Linear):
    def weight_uses(self, input_shape):
        return [(24, 0.5)]


class Unseeded(Linear):
    weight_seed = None


class AlwaysTheSame(Linear):
    weight_seed = 0


class Forgetful(Linear):
    def get_config(self):
        config = super().get_config()
        del config["affine"]
        return config


class Wide(Linear):
    """Its width is not in its configuration."""

    def __init__(self, width=1, **settings):
        super().__init__(**settings)
        self.width = width

    def build(self, input_shape):
        super().build(input_shape)
        self.more = [
            self.add_weight(name="more", shape=(4,), initializer="zeros") for _ in range(self.width)
        ]

    def product(self, inputs):
        return super().product(inputs) + tf.add_n([tf.convert_to_tensor(m) for m in self.more])

    def weight_uses(self, input_shape):
        return [*super().weight_uses(input_shape), (4 * self.width, 0)]


class Single(Linear):
    """Its norm does not follow its type."""

    def make_norm(self):
        return BatchNorm(self.affine, dtype="float32")


class Mixed(Linear):
    """It meets its inputs with numbers of another type, but where it is made without one."""

    def call(self, inputs, training=False):
        return super().call(inputs + tf.ones([], "float32"), training)


class Broken(Linear):
    def call(self, inputs, training=False):
        return super().call(self.missing * inputs, training)


class ByBatch(Linear):
    def call(self, inputs, training=False):
        return super().call(inputs - tf.reduce_mean(inputs, axis=0), training)


class Restless(Linear):
    def call(self, inputs, training=False):
        return super().call(inputs + tf.random.normal(inputs.shape, dtype=inputs.dtype), training)


class AlwaysTraining(Linear):
    def call(self, inputs, training=False):
        return super().call(inputs, training=True)


class NormOfKeras(Linear):
    def make_norm(self):
        return keras.layers.BatchNormalization(
            center=self.affine, scale=self.affine, dtype=self.dtype_policy
        )


class Unmoved(Linear):
    def build(self, input_shape):
        super().build(input_shape)
        self.mean = self.add_weight(name="mean", shape=(4,), trainable=False, initializer="zeros")


class NormedTwice(Linear):
    """A ledger keeps the second time's statistics; without one they move twice."""

    def call(self, inputs, training=False):
        return super().call(inputs, training) + super().call(2.0 * inputs, training)


class WrongGradient(Linear):
    def product(self, inputs):
        @tf.custom_gradient
        def twice(value):
            return value, lambda upstream: 2.0 * upstream

        return twice(super().product(inputs))


class WrongSecond(Linear):
    """The gradient is right, and taken for a constant."""

    def product(self, inputs):
        @tf.custom_gradient
        def squared(value):
            return value**2, lambda upstream: upstream * tf.stop_gradient(2.0 * value)

        return squared(super().product(inputs))


class DeadWeight(Linear):
    def product(self, inputs):
        return tf.nn.relu(inputs)[:, :: self.stride, :: self.stride]


@pytest.mark.parametrize("name", OPERATIONS)
def test_our_operations_pass(name):
    check_operation(name)


def test_one_of_a_stranger_passes():
    check_operation(Linear)


@pytest.mark.parametrize(
    ("operation", "sentence"),
    [
        ("sep_conv_4x4", "There is no operation 'sep_conv_4x4'"),
        (Broken, "Broken at stride 1 cannot be made and called: AttributeError: .*missing"),
        (Mixed, "with dtype='float64' it fails: InvalidArgumentError: .*double"),
        (TooLarge, r"TooLarge at stride 2 makes \(3, 6, 6, 4\) of .* must make \(3, 3, 3, 4\)"),
        (RoundedDown, r"stride 2: compute_output_shape says \(3, 3, 2, 4\) .* not \(3, 4, 3, 4\)"),
        (Miscounted, "weight_uses counts 0 weights, and there are 24"),
        (HalfCounted, r"weight_uses has \[\(24, 0.5\)\]; counts are whole numbers"),
        (Unseeded, "with the same seed '.*kernel' begins otherwise"),
        (AlwaysTheSame, "with another seed '.*kernel' begins as with this one"),
        (Forgetful, "get_config does not have 'affine'"),
        (lambda **settings: Wide(width=2, **settings), "begins otherwise: with other weights"),
        (Single, "with dtype='float64' it makes float32"),
        (ByBatch, "evaluates an image by itself otherwise: .* in place of"),
        (Restless, "evaluates otherwise next time"),
        (AlwaysTraining, "evaluation mode assigns the variable '.*running_mean'"),
        (NormOfKeras, "with a ledger open, assigns the variable '.*moving_mean'"),
        (Unmoved, "no ledger hears of '.*mean'"),
        (NormedTwice, "without a ledger statistics move otherwise"),
        (WrongGradient, "the gradient by .* says .* differences of values say"),
        (WrongSecond, "second derivatives: the gradient by .* differences of values say"),
        (DeadWeight, "does not depend on .*kernel: its gradient is zero"),
    ],
)
def test_what_is_wrong_is_said(operation, sentence):
    with pytest.raises(AssertionError, match=sentence) as failed:
        check_operation(operation)
    assert "\x1b" not in str(failed.value)  # by which Keras marks words
