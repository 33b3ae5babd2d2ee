"""Values and derivatives of both orders of two functions that should be one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_darts.testing.comparison import expect


def random(seed: int, *shape: int, dtype: str = "float64") -> tf.Tensor:
    """A tensor of normal numbers, the same for the same seed."""
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), dtype)


def derivatives(
    function: Callable[..., tf.Tensor], arguments: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """The value, its gradient against a random direction, and that gradient's own.

    The second is by the arguments and by the first one's direction.
    """
    outputs, first = gradients(function, arguments)
    return [outputs, *first, *second_derivatives(function, arguments)]


def gradients(
    function: Callable[..., tf.Tensor], arguments: Sequence[tf.Tensor]
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """The value, and its gradient by each argument against a random direction."""
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        outputs = function(*arguments)
    upstream = random(100, *outputs.shape, dtype=outputs.dtype)
    return outputs, tape.gradient(
        outputs, arguments, output_gradients=upstream, unconnected_gradients="zero"
    )


def second_derivatives(
    function: Callable[..., tf.Tensor], arguments: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """Of the gradient against a random direction, its own against others: by that and by all."""
    shape = function(*arguments).shape
    upstream = random(100, *shape, dtype=arguments[0].dtype)
    with tf.GradientTape() as outer:
        outer.watch([upstream, *arguments])
        with tf.GradientTape() as inner:
            inner.watch(arguments)
            outputs = function(*arguments)
        first = inner.gradient(
            outputs, arguments, output_gradients=upstream, unconnected_gradients="zero"
        )
        total = tf.add_n(
            [
                tf.reduce_sum(gradient * random(200 + i, *gradient.shape, dtype=gradient.dtype))
                for i, gradient in enumerate(first)
            ]
        )
    return outer.gradient(total, [upstream, *arguments], unconnected_gradients="zero")


def agree(
    tensors: Sequence[Any],
    references: Sequence[Any],
    tolerance: float,
    least: float = 0.0,
    what: str = "they differ",
) -> None:
    """Compares tensors by the norm of their difference.

    Args:
      tensors: those to judge.
      references: as many, of the same shapes.
      tolerance: relative to each tensor's norm.
      least: the share of the largest norm that stands for a smaller one.
      what: the beginning of the sentence.

    Raises:
      AssertionError: a tensor is farther from the other than that.
    """
    tensors, references = (
        [tf.convert_to_tensor(x).numpy() for x in values] for values in (tensors, references)
    )
    floor = least * max(np.linalg.norm(value) for value in references)
    for place, (tensor, reference) in enumerate(zip(tensors, references, strict=True)):
        expect(
            tensor.shape == reference.shape,
            f"{what}: tensor {place} is {tensor.shape} in place of {reference.shape}.",
        )
        distance, norm = np.linalg.norm(tensor - reference), np.linalg.norm(reference)
        expect(
            distance <= tolerance * max(norm, floor),
            f"{what}: tensor {place} is {distance:.3g} away from one of norm {norm:.3g}.",
        )
