"""Parts of a batch: cut from it, and computed one after another."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# (shared, batch, state, seed) -> (what is averaged over the parts, the state for the next batch)
BatchFunction = Callable[[Any, Any, Any, tf.Tensor], tuple[Any, Any]]


def cut_part(structure: Any, index: tf.Tensor, parts: int, axis: int) -> Any:
    """The part `index` of `parts` of all tensors along an axis."""
    if parts == 1:
        return structure

    def cut(x: tf.Tensor) -> tf.Tensor:
        size = tf.shape(x)[axis] // parts
        part = tf.gather(x, index * size + tf.range(size), axis=axis)
        shape = x.shape.as_list()
        if shape[axis] is not None:
            shape[axis] //= parts
        return tf.ensure_shape(part, shape)

    return tf.nest.map_structure(cut, structure)


def accumulate(
    function: BatchFunction,
    parts: int,
    first_seed: tf.Tensor,
    arguments: tuple[Any, Any, Any, tf.Tensor],
    batch_axis: int,
) -> tuple[Any, Any]:
    """The mean of the first result over parts of a batch, one after another, and all states."""
    shared, batch, state, seed = arguments

    def run_part(index: tf.Tensor) -> tuple[Any, Any]:
        part_seed = tf.random.experimental.stateless_fold_in(seed, first_seed + index)
        part = cut_part(batch, index, parts, batch_axis), cut_part(state, index, parts, 0)
        return function(shared, *part, part_seed)

    # Traced by itself to learn the results' shapes; the loop has the only copy that runs.
    means, states = (
        tf.function(run_part, autograph=False)
        .get_concrete_function(tf.TensorSpec([], tf.int32))
        .structured_outputs
    )
    sums = tf.nest.map_structure(lambda spec: tf.zeros(spec.shape, spec.dtype), means)
    arrays = tf.nest.map_structure(
        lambda spec: tf.TensorArray(spec.dtype, parts, element_shape=spec.shape), states
    )

    def body(index: tf.Tensor, sums: Any, arrays: Any) -> tuple[tf.Tensor, Any, Any]:
        means, states = run_part(index)
        sums = tf.nest.map_structure(lambda total, value: total + value / parts, sums, means)
        arrays = tf.nest.map_structure(lambda array, s: array.write(index, s), arrays, states)
        return index + 1, sums, arrays

    _, sums, arrays = tf.while_loop(
        lambda index, *_: index < parts, body, (0, sums, arrays), parallel_iterations=1
    )
    return sums, tf.nest.map_structure(lambda array: array.concat(), arrays)
