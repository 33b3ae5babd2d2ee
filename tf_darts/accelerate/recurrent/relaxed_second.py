"""The second derivative of the fast recurrence: forward mode over its written gradient.

The gradient is a function Jᵀu of the outputs' slopes u and the arguments a; J is ∂outputs/∂a.
What is asked here is the gradient of ⟨Jᵀu, d⟩ = ⟨u, J d⟩ for given directions d: by u it is J d,
the tangent of the outputs where all arguments move along d; by a it is the tangent of Jᵀu. So both
loops, forward and back in time, are run once more with a tangent beside every value:

    y = x W          ẏ = ẋ W + x Ẇ                 two products for one
    y = cluster(x)   ẏ in the same XLA cluster (`relaxed_tangents`)

The values of the forward pass are there already. Shapes as in `relaxed_recurrence`.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from tf_darts.accelerate.recurrent import relaxed_tangents as clusters
from tf_darts.accelerate.recurrent.relaxed_records import (
    Arguments,
    Record,
    Slopes,
    batch_of,
    mixing_slopes_over_time,
    rows_of,
)
from tf_darts.accelerate.recurrent.relaxed_tangents import Dual
from tf_darts.accelerate.recurrent.time_arrays import arrays as new_arrays
from tf_darts.accelerate.recurrent.time_arrays import flat, write


class _Tangents(NamedTuple):
    """What one time step of the forward pass leaves behind, or `tf.TensorArray`s of it.

    Attributes: tangents of those of `Record`, and `pairs` [N B, 2U], the tangents of the masked
    states beside their values, by which the next products are one each.
    """

    output: Any
    pairs: Any
    states: Any
    variances: Any
    activations: Any


def second_derivative(
    directions: Arguments,
    upstream: tf.Tensor,
    arguments: Arguments,
    record: Record,
    outputs: tf.Tensor,
    input_mask: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> tuple[Any, ...]:
    """The gradient of ⟨gradient(upstream, arguments), directions⟩ by all of `upstream, *arguments`.

    Args:
      directions: one for each argument.
      upstream: [T, B, U], the slopes of the outputs.
      arguments: of the recurrence.
      record: what the forward pass left behind.
      outputs: [T, B, U].
      input_mask: [B, U].
      hidden_mask: [B, U].
    """
    dual = Dual(arguments, directions)
    masks = (input_mask, hidden_mask)
    previous = tf.concat([arguments.hidden[tf.newaxis], outputs[:-1]], axis=0)
    tangents = _forward(dual, record, previous, *masks)
    outputs_tangent = tangents.output.stack()
    previous = Dual(
        previous, tf.concat([directions.hidden[tf.newaxis], outputs_tangent[:-1]], axis=0)
    )
    slopes, hidden_slope = _backward(upstream, dual, record, tangents, previous, hidden_mask)
    first = slopes.activations[0].stack()
    first = Dual(flat(first[:, 0]), flat(first[:, 1]))
    units = hidden_mask.shape[-1]
    inputs_slope = tf.matmul(first.tangent, arguments.input_kernel[:units], transpose_b=True)
    inputs_slope += tf.matmul(first.value, directions.input_kernel[:units], transpose_b=True)
    return outputs_tangent, *Arguments(
        tf.reshape(inputs_slope, tf.shape(arguments.inputs)) * input_mask,
        hidden_slope,
        _input_kernel_slope(dual, previous, first, *masks),
        _kernel_slopes(arguments, record, tangents, slopes),
        _mixing_slopes(arguments, record, tangents, slopes),
    )


def _forward(
    dual: Dual,
    record: Record,
    previous: tf.Tensor,
    input_mask: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> _Tangents:
    """Runs the tangents forward in time; returns `tf.TensorArray`s over time."""
    arguments, directions = dual
    steps, batch, units = tf.shape(arguments.inputs)[0], batch_of(arguments), hidden_mask.shape[-1]
    nodes = len(arguments.node_kernels)
    rows = zip(rows_of(arguments), rows_of(directions), strict=True)
    rows = [Dual(*row) for row in rows]
    # [ẋ, x] times these is ẋ W + x Ẇ.
    input_kernels = tf.concat(
        [arguments.input_kernel[:units], directions.input_kernel[:units]], axis=0
    )
    hidden_kernels = tf.concat(
        [arguments.input_kernel[units:], directions.input_kernel[units:]], axis=0
    )
    kernels = zip(arguments.node_kernels, directions.node_kernels, strict=True)
    kernels = [tf.concat(kernel, axis=0) for kernel in kernels]
    projected = tf.concat([directions.inputs * input_mask, arguments.inputs * input_mask], axis=-1)
    projected = tf.reshape(flat(projected) @ input_kernels, [steps, batch, 2 * units])

    def step(t: tf.Tensor, hidden: tf.Tensor, arrays: _Tangents) -> tuple[Any, ...]:
        pair = tf.concat([hidden * hidden_mask, previous[t] * hidden_mask], axis=-1)
        activations = [projected[t] + pair @ hidden_kernels]
        states = tf.unstack(record.states.read(t)[:nodes], num=nodes)
        first = clusters.first_node(
            Dual(record.activations[0].read(t), activations[0]), Dual(previous[t], hidden)
        )
        moves = [first]
        sources = tf.reshape(record.sources.read(t), [nodes, batch, units])
        pairs = tf.concat([first[0] * hidden_mask, sources[0]], axis=-1)
        for i in range(1, nodes + 1):
            product = tf.reshape(pairs @ kernels[i - 1], [i, batch, 2 * units])
            activations.append(product)
            move = clusters.node(
                Dual(record.activations[i].read(t), product),
                [Dual(state, move) for state, (move, _) in zip(states[:i], moves, strict=True)],
                rows[i - 1],
            )
            moves.append(move)
            if i < nodes:
                pair = tf.concat([move[0] * hidden_mask, sources[i]], axis=-1)
                pairs = tf.concat([pairs, pair], axis=0)
        states, variances = (tf.stack(column) for column in zip(*moves, strict=True))
        output = tf.reduce_mean(states[1:], axis=0)
        tangents = _Tangents(output, pairs, states, variances, activations)
        return t + 1, output, write(arrays, t, tangents)

    structure = _Tangents(0, 0, 0, 0, [0] * (nodes + 1))
    start = (
        tf.constant(0),
        directions.hidden,
        new_arrays(structure, steps, arguments.hidden.dtype),
    )
    return tf.while_loop(lambda t, *_: t < steps, step, start)[2]


def _backward(
    upstream: tf.Tensor,
    dual: Dual,
    record: Record,
    tangents: _Tangents,
    previous: Dual,
    hidden_mask: tf.Tensor,
) -> tuple[Slopes, tf.Tensor]:
    """Runs values and tangents of the chain back in time.

    Returns:
      `tf.TensorArray`s over time of [value, tangent], and the tangent of the slope of the hidden
      state before the first step.
    """
    arguments, directions = dual
    steps, batch, units = tf.shape(upstream)[0], batch_of(arguments), hidden_mask.shape[-1]
    nodes = len(arguments.node_kernels)
    rows = zip(rows_of(arguments), rows_of(directions), strict=True)
    rows = [Dual(*row) for row in rows]
    hidden_kernel = tf.transpose(arguments.input_kernel[units:])
    hidden_direction = tf.transpose(directions.input_kernel[units:])
    node_kernels = [tf.transpose(kernel) for kernel in arguments.node_kernels]
    node_directions = [tf.transpose(kernel) for kernel in directions.node_kernels]

    def multiply_transposed(slopes: tf.Tensor, kernel: tf.Tensor, direction: tf.Tensor) -> Dual:
        """The product of the slopes [2, …, 2U] with a transposed kernel."""
        products = tf.reshape(flat(slopes) @ kernel, [2, -1, units])
        return Dual(products[0], products[1] + flat(slopes[0]) @ direction)

    def step(t: tf.Tensor, hidden_slope: Dual, arrays: Slopes) -> tuple[Any, ...]:
        output_slope = Dual(
            (upstream[t] + hidden_slope.value) / nodes, hidden_slope.tangent / nodes
        )
        states = Dual(record.states.read(t), tangents.states.read(t))
        states = clusters.unstacked(states, nodes + 1)
        variances = Dual(record.variances.read(t), tangents.variances.read(t))
        variances = clusters.unstacked(variances, nodes + 1)
        zeros = tf.zeros_like(hidden_mask)  # the last node receives nothing
        received = products = [Dual(zeros, zeros)] * (nodes + 1)
        activation_slopes, node_slopes = [], []  # the last node's first
        for i in range(nodes, 0, -1):
            received, activation_slope, node_slope = clusters.node_slopes(
                output_slope,
                received,
                products,
                Dual(record.activations[i].read(t), tangents.activations[i].read(t)),
                states[: i + 1],
                variances[i],
                rows[i - 1],
                hidden_mask,
            )
            product = multiply_transposed(
                activation_slope, node_kernels[i - 1], node_directions[i - 1]
            )
            product = Dual(*(tf.reshape(x, [i, batch, units]) for x in product))
            products = clusters.unstacked(product, i)
            activation_slopes.append(activation_slope)
            node_slopes.append(node_slope)
        carried, slope_pair = clusters.first_node_slopes(
            received[0],
            products[0],
            Dual(record.activations[0].read(t), tangents.activations[0].read(t)),
            states[0],
            Dual(*(x[t] for x in previous)),
            variances[0],
            hidden_mask,
        )
        activation_slope = tf.stack(slope_pair)
        activation_slopes.append(activation_slope)
        product = multiply_transposed(activation_slope, hidden_kernel, hidden_direction)
        hidden_slope = Dual(*(x + y * hidden_mask for x, y in zip(carried, product, strict=True)))
        slopes = Slopes(activation_slopes[::-1], node_slopes[::-1])
        return t - 1, hidden_slope, write(arrays, t, slopes)

    structure = Slopes([0] * (nodes + 1), [0] * nodes)
    zeros = tf.zeros_like(arguments.hidden)
    start = (steps - 1, Dual(zeros, zeros), new_arrays(structure, steps, upstream.dtype))
    _, hidden_slope, slopes = tf.while_loop(lambda t, *_: t >= 0, step, start)
    return slopes, hidden_slope.tangent


def _input_kernel_slope(
    dual: Dual,
    previous: Dual,
    first: Dual,
    input_mask: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> tf.Tensor:
    """The tangent of xᵀ δ, over all time steps at once: ẋᵀ δ + xᵀ δ̇."""
    sources = [
        flat(tf.concat([arguments.inputs * input_mask, hidden * hidden_mask], axis=-1))
        for arguments, hidden in zip(dual, previous, strict=True)
    ]
    total = tf.matmul(sources[1], first.value, transpose_a=True)
    return total + tf.matmul(sources[0], first.tangent, transpose_a=True)


def _kernel_slopes(
    arguments: Arguments, record: Record, tangents: _Tangents, slopes: Slopes
) -> list[tf.Tensor]:
    """The tangents of Σ_t xᵀ δ for the kernels of the searched nodes."""
    batch, units = batch_of(arguments), arguments.hidden.shape[-1]

    def step(t: tf.Tensor, totals: list[tf.Tensor]) -> tuple[Any, ...]:
        values, moves = record.sources.read(t), tangents.pairs.read(t)[:, :units]
        new_totals = []
        for i, (total, array) in enumerate(zip(totals, slopes.activations[1:], strict=True), 1):
            value, tangent = tf.unstack(array.read(t), num=2)
            rows = i * batch
            total += tf.matmul(moves[:rows], flat(value), transpose_a=True)
            new_totals.append(total + tf.matmul(values[:rows], flat(tangent), transpose_a=True))
        return t + 1, new_totals

    steps = tf.shape(arguments.inputs)[0]
    start = [tf.zeros_like(kernel) for kernel in arguments.node_kernels]
    return tf.while_loop(lambda t, _: t < steps, step, (tf.constant(0), start))[1]


def _mixing_slopes(
    arguments: Arguments, record: Record, tangents: _Tangents, slopes: Slopes
) -> tf.Tensor:
    """The tangent of the mixing weights' gradient, [E, 5]."""

    def add(t: tf.Tensor, i: int, totals: Any, fold: int) -> Any:
        activations = Dual(record.activations[i].read(t), tangents.activations[i].read(t))
        states = Dual(record.states.read(t)[:i], tangents.states.read(t)[:i])
        node = Dual(*tf.unstack(slopes.nodes[i - 1].read(t), num=2))
        edges = zip(
            clusters.unstacked(activations, i), clusters.unstacked(states, i), totals, strict=True
        )
        return [clusters.mixing_slopes(c_z, s, node, total, fold) for c_z, s, total in edges]

    return mixing_slopes_over_time(arguments, add)
