"""Whether a function is an operation of the recurrent space."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tf_darts.cells.genotype import primitives_of
from tf_darts.errors import told
from tf_darts.spaces.recurrent import activations
from tf_darts.spaces.recurrent.activations import Activation, value_and_slope
from tf_darts.testing.comparison import expect, expect_equal
from tf_darts.testing.derivatives import random
from tf_darts.testing.differences import check_gradient

SHAPE = (4, 5)  # sequences, units
LARGE = 1e4  # what a pre-activation of a diverging search may be


def check_activation(activation: str | Activation) -> None:
    """Tries an activation as searches and trainings use it: a second.

    Checked: shape and type, that each number is a function of its own number alone and nothing is
    drawn or remembered, finite values and slopes far from 0, gradients of both orders in float64,
    and that the compiler XLA makes the same of it.

    Args:
      activation: a name that the space knows, or what `tf_darts.add_activation` takes.

    Raises:
      AssertionError: one sentence that names the activation and what failed.
    """
    if isinstance(activation, str):
        expect(
            activation in primitives_of("recurrent")[1:], f"There is no activation {activation!r}."
        )
        what, function = activation, activations.activation(activation)
    else:
        what, function = getattr(activation, "__name__", repr(activation)), activation
    states = random(1, *SHAPE)
    _check_form(function, what)
    _check_numbers(function, states, what)
    _check_slopes(function, states, what)
    compiled = tf.function(value_and_slope, autograph=False, jit_compile=True)
    expect_equal(
        compiled(function, states),
        value_and_slope(function, states),
        f"{what} is another when XLA compiles it",
        tolerance=1e-6,
    )


def _check_form(function: Activation, what: str) -> None:
    for dtype in ("float32", "float64"):
        try:
            value = function(random(1, *SHAPE, dtype=dtype))
            found = tuple(value.shape), value.dtype.name
        except Exception as error:  # of a function that is not ours
            raise AssertionError(f"{what} fails with {dtype}: {told(error)}.") from error
        expect(
            found == (SHAPE, dtype),
            f"{what} makes {found[0]} {found[1]} of {SHAPE} {dtype}; it must keep both.",
        )


def _check_numbers(function: Activation, states: tf.Tensor, what: str) -> None:
    value = function(states)
    expect_equal(function(states), value, f"{what} is another the next time", tolerance=0.0)
    alone = [[function(states[i : i + 1, j : j + 1])[0, 0] for j in range(5)] for i in range(4)]
    expect_equal(tf.stack(alone), value, f"{what} of a number depends on its neighbours")
    far = tf.constant([[-LARGE, LARGE]], states.dtype)
    for name, numbers in zip(("value", "slope"), value_and_slope(function, far), strict=True):
        expect(np.all(np.isfinite(numbers)), f"{what} has no finite {name} at ±{LARGE:.0f}.")


def _check_slopes(function: Activation, states: tf.Tensor, what: str) -> None:
    def slope(points: tf.Tensor) -> tf.Tensor:
        return value_and_slope(function, points)[1]

    steps: list[tuple[Activation, str]] = [(function, what), (slope, f"{what}, second derivative")]
    for step, name in steps:
        total = _total(step)
        check_gradient(total, [states], [value_and_slope(step, states)[1]], ["its argument"], name)


def _total(function: Activation) -> Callable[[list[tf.Tensor]], tf.Tensor]:
    return lambda points: tf.reduce_sum(function(points[0]))
