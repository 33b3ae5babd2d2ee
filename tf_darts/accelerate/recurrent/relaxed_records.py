"""What the fast recurrence is given, and what its loops leave behind.

Shapes: B sequences, U units, N searched nodes, E edges, J predecessors of a node; where activations
were added, the 5 columns of mixing weights are more.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tf_darts.accelerate.recurrent.relaxed_nodes import fold_of


class Arguments(NamedTuple):
    """What has a gradient; see `fast_relaxed_recurrence`."""

    inputs: tf.Tensor
    hidden: tf.Tensor
    input_kernel: tf.Tensor
    node_kernels: Sequence[tf.Tensor]
    mixing: tf.Tensor


class Record(NamedTuple):
    """What one time step leaves behind, or `tf.TensorArray`s of it.

    Attributes:
      output: [B, U].
      sources: [N B, U], the masked states of all nodes but the last.
      states: [N + 1, B, U].
      means, variances: [N + 1, U].
      activations: [c, h] of each node: [B, 2U] of node 0, [J, B, 2U] of the others.
    """

    output: Any
    sources: Any
    states: Any
    means: Any
    variances: Any
    activations: Any


class Slopes(NamedTuple):
    """What one time step leaves behind on the way back, or `tf.TensorArray`s of it.

    Attributes:
      activations: as in `Record`.
      nodes: of each searched node [B, U], before its normalisation.
    """

    activations: Any
    nodes: Any


def rows_of(arguments: Arguments) -> list[tf.Tensor]:
    """The mixing weights of the edges into each searched node, [J, 5]."""
    return tf.split(arguments.mixing, list(range(1, len(arguments.node_kernels) + 1)))


def batch_of(arguments: Arguments) -> Any:
    """B, a number where it is known: `mixing_slopes` makes use of that."""
    return arguments.hidden.shape[0] or tf.shape(arguments.hidden)[0]


def mixing_slopes_over_time(
    arguments: Arguments, add: Callable[[tf.Tensor, int, Any, int], Any]
) -> tf.Tensor:
    """The gradient of the mixing weights [E, 5] as a sum over time; that of `none` is 0.

    Args:
      arguments: of the recurrence.
      add: (t, i, totals, fold) -> totals of each edge into searched node i, with the terms of time
        t, by `relaxed_nodes.mixing_slopes`.
    """
    nodes, (batch, units) = len(arguments.node_kernels), arguments.hidden.shape
    columns = arguments.mixing.shape[-1]
    fold = fold_of(batch)
    folded = batch_of(arguments) // fold
    empty = (tf.zeros([folded, units], arguments.mixing.dtype),) * columns
    start = [[empty] * i for i in range(1, nodes + 1)]

    def step(t: tf.Tensor, totals: list[Any]) -> tuple[Any, ...]:
        return t + 1, [add(t, i, total, fold) for i, total in enumerate(totals, start=1)]

    steps = tf.shape(arguments.inputs)[0]
    totals = tf.while_loop(lambda t, _: t < steps, step, (tf.constant(0), start))[1]
    edges = [tf.reduce_sum(tf.stack(total), axis=[1, 2]) for node in totals for total in node]
    return tf.pad(tf.stack([terms[:-1] + terms[-1] for terms in edges]), [[0, 0], [1, 0]])
