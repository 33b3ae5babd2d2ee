"""Gradients by tapes against central differences, in float64.

    ⟨∇f(x), d⟩ ≈ (f(x + εd) - f(x - εd)) / 2ε

A random direction d meets every entry at once; where the two sides differ, each argument has a
direction of its own, so that the sentence can say which one is wrong.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tf_darts.testing.comparison import expect
from tf_darts.testing.derivatives import random

# The second is taken where the first is too coarse, as for norms of few numbers.
STEPS = (1e-6, 1e-7)
# Of the gradient's norm; what is left of kinks (ReLU, maxima) lies below it.
RELATIVE = 1e-4
# Of the value, which is divided by the step.
ROUNDING = 1e-14
# So many arguments are looked at by themselves, because a small gradient is lost among large ones.
PROBES = 3

Function = Callable[[list[tf.Tensor]], tf.Tensor]


def check_gradient(
    function: Function,
    arguments: Sequence[tf.Tensor],
    gradients: Sequence[tf.Tensor],
    names: Sequence[str],
    what: str,
) -> None:
    """Holds the gradients of a function to differences of its values.

    Args:
      function: of the list of arguments, a scalar.
      arguments: float64, of any shapes.
      gradients: of the function at the arguments, one for each, of its shape.
      names: of the arguments, for the sentence.
      what: of which function, for the sentence.

    Raises:
      AssertionError: a gradient is not the function's.
    """
    places = range(len(arguments))
    directions = [random(300 + i, *argument.shape) for i, argument in enumerate(arguments)]
    mismatch = _compare(function, arguments, gradients, directions, places)
    chosen = places if mismatch else {int(i) for i in np.linspace(0, len(arguments) - 1, PROBES)}
    for place in sorted(chosen):
        own_mismatch = _compare(function, arguments, gradients, directions, [place])
        expect(not own_mismatch, f"{what}: the gradient by {names[place]} {own_mismatch}.")
    expect(not mismatch, f"{what}: the gradient {mismatch}.")


def _compare(
    function: Function,
    arguments: Sequence[tf.Tensor],
    gradients: Sequence[tf.Tensor],
    directions: Sequence[tf.Tensor],
    places: Sequence[int],
) -> str:
    """What is wrong along the directions of these places' arguments; "" where nothing is."""

    def value_at(step: float) -> float:
        points = list(arguments)
        for place in places:
            points[place] = points[place] + step * directions[place]
        return float(function(points))

    slope = sum(float(tf.reduce_sum(gradients[i] * directions[i])) for i in places)
    norm = float(np.sqrt(sum(float(tf.reduce_sum(gradients[i] ** 2)) for i in places)))
    for step in STEPS:
        above, below = value_at(step), value_at(-step)
        difference = (above - below) / (2.0 * step)
        allowed = RELATIVE * norm + ROUNDING * max(1.0, abs(above)) / step
        if abs(slope - difference) <= allowed:
            return ""
    return f"says {slope:.8g} along a direction, and differences of values say {difference:.8g}"


def check_influence(gradients: Sequence[tf.Tensor], names: Sequence[str], what: str) -> None:
    """Raises `AssertionError` where a gradient is zero everywhere: nothing is read there."""
    for gradient, name in zip(gradients, names, strict=True):
        read = bool(tf.reduce_any(tf.not_equal(gradient, 0.0)))
        expect(read, f"{what} does not depend on {name}: its gradient is zero everywhere.")
