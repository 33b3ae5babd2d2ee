"""The check of fast forms says of each kind of fault what it is; ours: tests/accelerate."""

import keras
import pytest
import tensorflow as tf

from tf_darts.spaces import fast_forms
from tf_darts.spaces.fast_forms import fast_form
from tf_darts.testing import Case, check_accelerated
from tf_darts.testing.derivatives import random


class Cube(keras.layers.Layer):
    """(w·x)³, and a faster way for it."""

    def build(self, input_shape):
        self.factor = self.add_weight(name="factor", shape=(), initializer="ones")

    def call(self, inputs):
        factor = tf.convert_to_tensor(self.factor)
        if (fast := fast_form(Cube, inputs, factor)) is not None:
            return fast()
        return (factor * inputs) ** 3


def make(dtype):
    layer = Cube()
    inputs = random(1, 5, dtype=dtype)
    layer.build(inputs.shape)
    return Case(layer, layer, [inputs])


def right(inputs, factor):
    return factor**3 * inputs**3


def other_values(inputs, factor):
    return right(inputs, factor) + 1e-3


def rough(inputs, factor):
    """As if it were computed in float32."""
    return right(inputs, factor) * (1.0 + 1e-6)


def other_gradient(inputs, factor):
    value = right(inputs, factor)
    return value + 0.1 * (factor - tf.stop_gradient(factor))


def other_second(inputs, factor):
    square = 0.5 * (factor - tf.stop_gradient(factor)) ** 2
    return right(inputs, factor) + square


def refuses(way):
    """A form with a first derivative only, which says so, and a way out, or not."""

    @tf.custom_gradient
    def form(inputs, factor):
        @tf.custom_gradient
        def backward(upstream):
            def second(*_):
                raise LookupError(f"no second derivatives{way}")

            slope = 3.0 * upstream * right(inputs, factor)
            return (slope / inputs, tf.reduce_sum(slope) / factor), second

        return right(inputs, factor), backward

    return form


@pytest.fixture
def register(monkeypatch):
    """A function that makes another the fast form of `Cube`, alone there is."""
    monkeypatch.setattr(fast_forms, "_forms", {})

    def take(function, condition="always", applies=lambda *_: True, **settings):
        fast_forms.register(Cube, condition, applies, **settings)(function)

    return take


def test_a_right_one_passes(register):
    register(right)
    check_accelerated(Cube, make)
    check_accelerated(Cube, make, tolerances={"float64": 1e-11})


def test_one_without_second_derivatives_passes(register):
    register(refuses("; try --accelerate=off"), second=False)
    check_accelerated(Cube, make)


def test_one_for_float32_passes(register):
    register(right, applies=lambda inputs, factor: inputs.dtype == tf.float32)
    check_accelerated(Cube, make, types=("float32",))


def test_there_must_be_one(register):
    with pytest.raises(AssertionError, match=r"Cube has no fast form"):
        check_accelerated(Cube, make)


@pytest.mark.parametrize(
    ("function", "settings", "sentence"),
    [
        (right, {"condition": ""}, "The fast form of Cube says no condition"),
        (right, {"applies": lambda *_: False}, "of Cube in float64 is not taken"),
        (other_values, {}, "in float64 has other values: tensor 0 is .* away from one of norm"),
        (rough, {}, "in float64 has other values: tensor 0"),
        (other_gradient, {}, "in float64 has another gradient: tensor 1"),
        (other_second, {}, "in float64 has other second derivatives: tensor"),
        (refuses("; try --accelerate=off"), {}, "is said to have second derivatives, and refuses"),
        (refuses(""), {"second": False}, "refuses without a way out: no second derivatives"),
    ],
)
def test_what_is_wrong_is_said(function, settings, sentence, register):
    register(function, **settings)
    with pytest.raises(AssertionError, match=sentence):
        check_accelerated(Cube, make)


def test_a_form_where_none_should_apply(register):
    register(right)
    with pytest.raises(AssertionError, match=r"in float64 is taken, although it should not"):
        check_accelerated(Cube, make, types=("float32",))
