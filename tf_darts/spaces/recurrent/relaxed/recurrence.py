"""The relaxed recurrent cell over a sequence, as the mathematics reads (docs/method.md section 5).

Shapes: T time steps, B sequences, U units, N searched nodes, E = N(N+1)/2 edges.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from tf_darts.runtime import collectives
from tf_darts.spaces.recurrent.activations import activation_functions

EPSILON = 1e-5  # of the batch normalisation

# (x [B, U]) -> (normalised x, mean [U], variance [U])
Normalize = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]
# An output [B, U], means and variances [N + 1, U]
TimeStep = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


class Recurrence(NamedTuple):
    """What the cell computes over a sequence.

    Attributes:
      outputs: [T, B, U], the cell's output at each step; the last is the next hidden state.
      means, variances: [T, N + 1, U], the batch statistics that normalised each node.
    """

    outputs: tf.Tensor
    means: tf.Tensor
    variances: tf.Tensor


def normalize_by_batch(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Batch normalisation without scale and offset, by the batch's own (biased) moments.

    The batch is that of all replicas together (`collectives`).
    """
    mean, variance = collectives.all_moments(x, [0])
    return (x - mean) * tf.math.rsqrt(variance + EPSILON), mean, variance


def normalize_by(mean: tf.Tensor, variance: tf.Tensor) -> Normalize:
    """Batch normalisation by given running statistics [U], as in evaluation."""

    def normalize(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return (x - mean) * tf.math.rsqrt(variance + EPSILON), mean, variance

    return normalize


def mix(states: tf.Tensor, gates: tf.Tensor, candidates: tf.Tensor, mixing: tf.Tensor) -> tf.Tensor:
    """One node: the sum over edges of the mixture of highway operations (eqs. 1 and 2).

    Args:
      states: [J, B, U], the predecessors' states s.
      gates: [J, B, U], σ(c).
      candidates: [J, B, U], the pre-activations h.
      mixing: [J, 5], the weights of none, tanh, relu, sigmoid and identity on each edge, and behind
        them those of added activations.

    Returns:
      [B, U]: Σ_j Σ_k p_jk (s_j + σ(c_j) (f_k(h_j) - s_j)); `none` adds nothing.
    """
    node = tf.zeros_like(states[0])
    for k, activation in enumerate(activation_functions(mixing.shape[-1]), start=1):
        weight = mixing[:, k, tf.newaxis, tf.newaxis]
        highway = states + gates * (activation(candidates) - states)
        node += tf.reduce_sum(weight * highway, axis=0)
    return node


def relaxed_recurrence(
    inputs: tf.Tensor,
    hidden: tf.Tensor,
    input_kernel: tf.Tensor,
    node_kernels: Sequence[tf.Tensor],
    mixing: tf.Tensor,
    input_mask: tf.Tensor,
    hidden_mask: tf.Tensor,
    normalize: Normalize = normalize_by_batch,
) -> Recurrence:
    """Runs the relaxed cell over a sequence.

    Args:
      inputs: [T, B, U], the embedded words.
      hidden: [B, U], the state before the first step.
      input_kernel: [2U, 2U], W0, acting from the right on [x, h]; its columns are [c, h].
      node_kernels: N times [U, 2U], W_i.
      mixing: [E, 5], the mixing weights of the edges.
      input_mask: [B, U] or broadcastable, the sequence's dropout mask of x.
      hidden_mask: likewise, of the states.
      normalize: the batch normalisation after node 0 and after every searched node.
    """
    kernels = [tf.convert_to_tensor(kernel) for kernel in node_kernels]
    masks = input_mask, hidden_mask

    def step(carry: TimeStep, x: tf.Tensor) -> TimeStep:
        return time_step(x, carry[0], input_kernel, kernels, mixing, masks, normalize)

    zeros = tf.zeros([len(kernels) + 1, hidden.shape[-1]], hidden.dtype)
    return Recurrence(*tf.scan(step, inputs, (hidden, zeros, zeros)))


def time_step(
    x: tf.Tensor,
    previous: tf.Tensor,
    input_kernel: tf.Tensor,
    kernels: Sequence[tf.Tensor],
    mixing: tf.Tensor,
    masks: tuple[tf.Tensor, tf.Tensor],
    normalize: Normalize = normalize_by_batch,
) -> TimeStep:
    """One step of `relaxed_recurrence`, whose arguments these are.

    Args:
      x: [B, U], the embedded words.
      previous: [B, U], the cell's output before.
      input_kernel: see there.
      kernels: N times [U, 2U].
      mixing: [E, 5].
      masks: of x and of the states.
      normalize: see there.

    Returns:
      The cell's output [B, U], means and variances [N + 1, U].
    """
    input_mask, hidden_mask = masks
    cell_inputs = tf.concat([x * input_mask, previous * hidden_mask], axis=-1)
    c, h = tf.split(cell_inputs @ input_kernel, 2, axis=-1)
    state, mean, variance = normalize(previous + tf.sigmoid(c) * (tf.tanh(h) - previous))
    states, means, variances = [state], [mean], [variance]
    row, units = 0, previous.shape[-1]
    for kernel in kernels:
        sources = tf.stack(states)
        product = tf.reshape(sources * hidden_mask, [-1, units]) @ kernel
        product = tf.reshape(product, [len(states), -1, 2 * units])
        c, h = tf.split(product, 2, axis=-1)
        weights = mixing[row : row + len(states)]
        row += len(states)
        state, mean, variance = normalize(mix(sources, tf.sigmoid(c), h, weights))
        states.append(state)
        means.append(mean)
        variances.append(variance)
    output = tf.add_n(states[1:]) / len(kernels)
    return output, tf.stack(means), tf.stack(variances)
