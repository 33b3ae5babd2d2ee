"""A derived recurrent cell over a sequence, as the mathematics reads (docs/method.md section 5).

There is no batch normalisation. Shapes: T time steps, B sequences, U units, N nodes after node 0.
"""

from collections.abc import Sequence

import tensorflow as tf

from tf_darts.cells.genotype import RecurrentGenotype
from tf_darts.runtime.precision import matmul
from tf_darts.spaces.recurrent.activations import activation


def derived_recurrence(
    genotype: RecurrentGenotype,
    inputs: tf.Tensor,
    hidden: tf.Tensor,
    input_kernel: tf.Tensor,
    node_kernels: Sequence[tf.Tensor],
    input_mask: tf.Tensor | float,
    hidden_mask: tf.Tensor | float,
) -> tf.Tensor:
    """Runs the cell over a sequence.

    Args:
      genotype: the cell.
      inputs: [T, B, U], the embedded words.
      hidden: [B, U], the state before the first step.
      input_kernel: [2U, 2U], W0, acting from the right on [x, h]; its columns are [c, z].
      node_kernels: N times [U, 2U], W_i.
      input_mask: [B, U], the sequence's dropout mask of x; 1 for none.
      hidden_mask: likewise, of the states.

    Returns:
      [T, B, U], the cell's output at each step; the last is the next hidden state.
    """

    def step(previous: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        masks = input_mask, hidden_mask
        return derived_step(genotype, x, previous, input_kernel, node_kernels, *masks)

    return tf.scan(step, inputs, hidden)


def derived_step(
    genotype: RecurrentGenotype,
    x: tf.Tensor,
    previous: tf.Tensor,
    input_kernel: tf.Tensor,
    node_kernels: Sequence[tf.Tensor],
    input_mask: tf.Tensor | float = 1.0,
    hidden_mask: tf.Tensor | float = 1.0,
) -> tf.Tensor:
    """One time step of `derived_recurrence`: the next hidden state [B, U] of two [B, U]."""
    cell_inputs = tf.concat([x * input_mask, previous * hidden_mask], axis=-1)
    c, z = tf.split(matmul(cell_inputs, input_kernel), 2, axis=-1)
    states = [previous + tf.sigmoid(c) * (tf.tanh(z) - previous)]
    for (operation, predecessor), kernel in zip(genotype.edges, node_kernels, strict=True):
        s = states[predecessor]
        c, z = tf.split(matmul(s * hidden_mask, kernel), 2, axis=-1)
        states.append(s + tf.sigmoid(c) * (activation(operation)(z) - s))
    return tf.add_n([states[node] for node in genotype.concat]) / len(genotype.concat)
