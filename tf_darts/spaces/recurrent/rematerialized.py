"""A recurrence in chunks of time steps, each computed again in the backward pass."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from tf_darts.runtime.rematerialize import rematerialized

CHUNKS = 6  # about √35, the usual number of time steps


def in_chunks(
    run: Callable[..., Sequence[tf.Tensor]],
    inputs: tf.Tensor,
    hidden: tf.Tensor,
    *parameters: tf.Tensor,
) -> list[tf.Tensor]:
    """`run(inputs, hidden, *parameters)`, of which only inputs and outputs are kept.

    Args:
      run: returns tensors [T, …], of which the first are the hidden states after each step.
      inputs: [T, B, U]; T may be any.
      hidden: [B, U], the state before the first step.
      *parameters: what else has a gradient.
    """
    length, shape = tf.shape(inputs)[0], inputs.shape
    # Every chunk has a step; what comes of steps that are added for that is cut off.
    steps = tf.maximum(length, CHUNKS)
    inputs = tf.pad(inputs, [[0, steps - length], [0, 0], [0, 0]])
    inputs = tf.ensure_shape(inputs, [None, *shape[1:]])
    chunks = []
    for i in range(CHUNKS):
        part = inputs[i * steps // CHUNKS : (i + 1) * steps // CHUNKS]
        results = rematerialized(lambda x: list(run(*x)), [part, hidden, *parameters])
        hidden = tf.ensure_shape(results[0][-1], hidden.shape)
        chunks.append(results)
    return [tf.concat(parts, axis=0)[:length] for parts in zip(*chunks, strict=True)]
