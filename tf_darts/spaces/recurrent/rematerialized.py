"""A recurrence in chunks of time steps, each computed again in the backward pass."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from tf_darts.runtime.rematerialize import rematerialized

CHUNKS = 6  # about √35, the usual number of time steps


def in_chunks(
    run: Callable[..., Sequence[tf.Tensor]],
    inputs: tf.Tensor,
    hidden: tf.Tensor,
    *others: tf.Tensor,
) -> list[tf.Tensor]:
    """`run(inputs, hidden, *others)`, of which only inputs and outputs are kept.

    Args:
      run: returns tensors [T, …], of which the first are the hidden states after each step.
      inputs: [T, B, U]; T may be any.
      hidden: [B, U], the state before the first step.
      *others: what else has a gradient.
    """
    wanted, shape = tf.shape(inputs)[0], inputs.shape
    # Every chunk has a step; what comes of steps that are added for that is cut off.
    steps = tf.maximum(wanted, CHUNKS)
    inputs = tf.pad(inputs, [[0, steps - wanted], [0, 0], [0, 0]])
    inputs = tf.ensure_shape(inputs, [None, *shape[1:]])
    found = []
    for i in range(CHUNKS):
        part = inputs[i * steps // CHUNKS : (i + 1) * steps // CHUNKS]
        results = rematerialized(lambda given: list(run(*given)), [part, hidden, *others])
        hidden = tf.ensure_shape(results[0][-1], hidden.shape)
        found.append(results)
    return [tf.concat(parts, axis=0)[:wanted] for parts in zip(*found, strict=True)]
