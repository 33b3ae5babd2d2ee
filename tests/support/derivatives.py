"""Values and derivatives of both orders of two functions that should be one."""

import numpy as np
import tensorflow as tf


def random(seed, *shape, dtype="float64"):
    """A tensor of normal numbers."""
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), dtype)


def derivatives(function, arguments):
    """The value, its gradient against a random direction, and that gradient's own.

    The second is by the arguments and by the first one's direction.
    """
    outputs, first = gradients(function, arguments)
    return [outputs, *first, *second_derivatives(function, arguments)]


def gradients(function, arguments):
    """The value, and its gradient by each argument against a random direction."""
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        outputs = function(*arguments)
    upstream = random(100, *outputs.shape, dtype=outputs.dtype)
    return outputs, tape.gradient(
        outputs, arguments, output_gradients=upstream, unconnected_gradients="zero"
    )


def second_derivatives(function, arguments):
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


def agree(ours, theirs, tolerance, least=0.0):
    """Each tensor, relative to its norm, or to the `least` share of the largest norm."""
    ours, theirs = ([tf.convert_to_tensor(x).numpy() for x in values] for values in (ours, theirs))
    floor = least * max(np.linalg.norm(value) for value in theirs)
    for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert one.shape == other.shape
        distance, norm = np.linalg.norm(one - other), np.linalg.norm(other)
        assert distance <= tolerance * max(norm, floor), (place, distance, norm)
