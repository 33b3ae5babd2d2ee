"""The relaxed recurrent cell over a sequence, made fast: `relaxed_recurrence` in training mode.

Same numbers, other order of work. What is done differently:

- The part of the first product that reads the inputs is one product for all time steps.
- One pass per node in place of one per operation, by
  Σ_k p_k (s + c (f_k - s)) = P s + c (Σ_k p_k f_k - P s),  P = Σ_k p_k without `none`.
- What lies between two matrix products are few XLA clusters (`relaxed_nodes`).
- The gradient is written by hand. Going back in time it computes what the chain needs, the slopes
  (∂loss/∂) of states and activations. Kernels and mixing weights have loops of their own, which
  sum over time: a graph drops these where it does not ask for them.

Shapes: T time steps, B sequences, U units, N searched nodes, E edges, J predecessors of a node.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tf_darts.accelerate.recurrent import relaxed_nodes as clusters
from tf_darts.accelerate.recurrent.relaxed_records import (
    Arguments,
    Record,
    Slopes,
    batch_of,
    mixing_slopes_over_time,
    rows_of,
)
from tf_darts.accelerate.recurrent.relaxed_second import second_derivative
from tf_darts.accelerate.recurrent.time_arrays import arrays as new_arrays
from tf_darts.accelerate.recurrent.time_arrays import flat, write
from tf_darts.runtime import collectives
from tf_darts.runtime.custom_gradient import custom_gradient
from tf_darts.spaces.fast_forms import register
from tf_darts.spaces.recurrent.relaxed.cell import RelaxedRecurrentCell
from tf_darts.spaces.recurrent.relaxed.recurrence import Recurrence


def _applies(*arguments: Any) -> bool:
    del arguments
    return collectives.norm_replicas() == 1


@register(
    RelaxedRecurrentCell, "training; one replica: the loops normalise by its batch alone", _applies
)
def fast_relaxed_recurrence(
    inputs: tf.Tensor,
    hidden: tf.Tensor,
    input_kernel: tf.Tensor,
    node_kernels: Sequence[tf.Tensor],
    mixing: tf.Tensor,
    input_mask: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> Recurrence:
    """`relaxed_recurrence` with the batch's moments, and with its arguments.

    Gradients are of the outputs alone: the moments have none, and neither do the masks.
    """
    masks = (tf.ensure_shape(input_mask, hidden.shape), tf.ensure_shape(hidden_mask, hidden.shape))

    @custom_gradient
    def recurrence(*arguments: Any) -> tuple[tuple[tf.Tensor, ...], Callable[..., Any]]:
        # Nothing in here is for a tape to record: `gradient` says it all.
        constants = Arguments(*tf.nest.map_structure(tf.stop_gradient, arguments))
        record = _forward(constants, *masks)
        arrays = (record.output, record.means, record.variances)
        outputs, means, variances = (array.stack() for array in arrays)

        def gradient(upstream: tf.Tensor, *moments: tf.Tensor) -> Any:
            del moments

            @custom_gradient
            def slopes(upstream: tf.Tensor, *arguments: Any) -> tuple[Any, Callable[..., Any]]:
                result = _gradient(tf.stop_gradient(upstream), constants, record, outputs, *masks)

                def second(*directions: tf.Tensor) -> Any:
                    return _second(directions, upstream, arguments, record, outputs, *masks)

                return tuple(result), second

            return slopes(upstream, *arguments)

        return (outputs, means, variances), gradient

    kernels = [tf.convert_to_tensor(kernel) for kernel in node_kernels]
    outputs, means, variances = recurrence(inputs, hidden, input_kernel, kernels, mixing)
    return Recurrence(outputs, tf.stop_gradient(means), tf.stop_gradient(variances))


def _second(
    directions: Sequence[tf.Tensor],
    upstream: tf.Tensor,
    arguments: Sequence[Any],
    record: Record,
    outputs: tf.Tensor,
    input_mask: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> Any:
    """The gradient of ⟨gradient, directions⟩ by `upstream` and arguments; of it there is none."""

    @custom_gradient
    def derivative(
        directions: Sequence[tf.Tensor], upstream: tf.Tensor, *arguments: Any
    ) -> tuple[Any, Callable[..., Any]]:
        flat_directions, slopes, constants = tf.nest.map_structure(
            tf.stop_gradient, (list(directions), upstream, Arguments(*arguments))
        )
        packed = tf.nest.pack_sequence_as(constants, flat_directions)
        result = second_derivative(
            packed, slopes, constants, record, outputs, input_mask, hidden_mask
        )

        def third(*upstream: tf.Tensor) -> Any:
            raise LookupError("this recurrence has no third derivative")

        return tuple(tf.nest.flatten(result)), third

    gradients = derivative(list(directions), upstream, *arguments)
    return tf.nest.pack_sequence_as([upstream, *arguments], gradients)


def _forward(arguments: Arguments, input_mask: tf.Tensor, hidden_mask: tf.Tensor) -> Record:
    """Runs the cell forward in time; returns `tf.TensorArray`s over time."""
    steps, batch, units = tf.shape(arguments.inputs)[0], batch_of(arguments), hidden_mask.shape[-1]
    nodes, rows = len(arguments.node_kernels), rows_of(arguments)
    projected = flat(arguments.inputs * input_mask) @ arguments.input_kernel[:units]
    projected = tf.reshape(projected, [steps, batch, 2 * units])
    hidden_kernel = arguments.input_kernel[units:]

    def step(t: tf.Tensor, previous: tf.Tensor, arrays: Record) -> tuple[Any, ...]:
        product = (previous * hidden_mask) @ hidden_kernel
        first, *entry = clusters.first_node(projected[t], product, previous, hidden_mask)
        activations, entries = [first], [entry]
        sources = entry[1]
        for i in range(1, nodes + 1):
            product = sources @ arguments.node_kernels[i - 1]
            activations.append(tf.reshape(product, [i, batch, 2 * units]))
            states = tuple(entry[0] for entry in entries)
            entries.append(clusters.node(activations[i], states, rows[i - 1], hidden_mask))
            if i < nodes:
                sources = tf.concat([sources, entries[i][1]], axis=0)
        states, _, means, variances = (tf.stack(column) for column in zip(*entries, strict=True))
        output = tf.reduce_mean(states[1:], axis=0)
        record = Record(output, sources, states, means, variances, activations)
        return t + 1, output, write(arrays, t, record)

    structure = Record(0, 0, 0, 0, 0, [0] * (nodes + 1))
    start = (tf.constant(0), arguments.hidden, new_arrays(structure, steps, arguments.hidden.dtype))
    return tf.while_loop(lambda t, *_: t < steps, step, start)[2]


def _gradient(
    upstream: tf.Tensor,
    arguments: Arguments,
    record: Record,
    outputs: tf.Tensor,
    input_mask: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> Arguments:
    """The gradient for the slopes `upstream` of the outputs, [T, B, U] both."""
    units = hidden_mask.shape[-1]
    previous = tf.concat([arguments.hidden[tf.newaxis], outputs[:-1]], axis=0)
    slopes, hidden_slope = _backward(upstream, arguments, record, previous, hidden_mask)
    first = flat(slopes.activations[0].stack())
    inputs_slope = tf.matmul(first, arguments.input_kernel[:units], transpose_b=True)
    sources = tf.concat([arguments.inputs * input_mask, previous * hidden_mask], axis=-1)
    return Arguments(
        tf.reshape(inputs_slope, tf.shape(arguments.inputs)) * input_mask,
        hidden_slope,
        tf.matmul(flat(sources), first, transpose_a=True),
        _kernel_slopes(arguments, record, slopes),
        _mixing_slopes(arguments, record, slopes),
    )


def _backward(
    upstream: tf.Tensor,
    arguments: Arguments,
    record: Record,
    previous: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> tuple[Slopes, tf.Tensor]:
    """Runs the chain back in time; `previous` [T, B, U] are the hidden states before each step.

    Returns:
      `tf.TensorArray`s over time, and the slope of the hidden state before the first step.
    """
    steps, batch, units = tf.shape(upstream)[0], batch_of(arguments), hidden_mask.shape[-1]
    nodes, rows = len(arguments.node_kernels), rows_of(arguments)
    # Transposed once: the product with a transposed matrix is the slower one.
    hidden_kernel = tf.transpose(arguments.input_kernel[units:])
    node_kernels = [tf.transpose(kernel) for kernel in arguments.node_kernels]

    def step(t: tf.Tensor, hidden_slope: tf.Tensor, arrays: Slopes) -> tuple[Any, ...]:
        output_slope = (upstream[t] + hidden_slope) / nodes
        states = tf.unstack(record.states.read(t), num=nodes + 1)
        variances = record.variances.read(t)
        # From later nodes, by node; the last one has none.
        received = products = [tf.zeros_like(hidden_mask)] * (nodes + 1)
        activation_slopes, node_slopes = [], []  # the last node's first
        for i in range(nodes, 0, -1):
            received, activation_slope, node_slope = clusters.node_slopes(
                output_slope,
                received,
                products,
                record.activations[i].read(t),
                states[: i + 1],
                variances[i],
                rows[i - 1],
                hidden_mask,
            )
            product = flat(activation_slope) @ node_kernels[i - 1]
            products = tf.unstack(tf.reshape(product, [i, batch, units]))
            activation_slopes.append(activation_slope)
            node_slopes.append(node_slope)
        carried, activation_slope = clusters.first_node_slopes(
            received[0],
            products[0],
            record.activations[0].read(t),
            states[0],
            previous[t],
            variances[0],
            hidden_mask,
        )
        activation_slopes.append(activation_slope)
        hidden_slope = carried + (activation_slope @ hidden_kernel) * hidden_mask
        slopes = Slopes(activation_slopes[::-1], node_slopes[::-1])
        return t - 1, hidden_slope, write(arrays, t, slopes)

    structure = Slopes([0] * (nodes + 1), [0] * nodes)
    start = (
        steps - 1,
        tf.zeros_like(arguments.hidden),
        new_arrays(structure, steps, upstream.dtype),
    )
    _, hidden_slope, slopes = tf.while_loop(lambda t, *_: t >= 0, step, start)
    return slopes, hidden_slope


def _kernel_slopes(arguments: Arguments, record: Record, slopes: Slopes) -> list[tf.Tensor]:
    """∂/∂W_i = Σ_t (s m)ᵀ (slope of s m W_i), over all predecessors' states s at once."""
    batch = batch_of(arguments)

    def step(t: tf.Tensor, totals: list[tf.Tensor]) -> tuple[Any, ...]:
        sources = record.sources.read(t)
        return t + 1, [
            total + tf.matmul(sources[: i * batch], flat(array.read(t)), transpose_a=True)
            for i, (total, array) in enumerate(
                zip(totals, slopes.activations[1:], strict=True), start=1
            )
        ]

    steps = tf.shape(arguments.inputs)[0]
    start = [tf.zeros_like(kernel) for kernel in arguments.node_kernels]
    return tf.while_loop(lambda t, _: t < steps, step, (tf.constant(0), start))[1]


def _mixing_slopes(arguments: Arguments, record: Record, slopes: Slopes) -> tf.Tensor:
    """The gradient of the mixing weights, [E, 5]; that of `none` is 0."""

    def add(t: tf.Tensor, i: int, totals: Any, fold: int) -> Any:
        activations = tf.unstack(record.activations[i].read(t), num=i)
        states = tf.unstack(record.states.read(t)[:i], num=i)
        node = slopes.nodes[i - 1].read(t)
        edges = zip(activations, states, totals, strict=True)
        return [clusters.mixing_slopes(c_z, s, node, total, fold) for c_z, s, total in edges]

    return mixing_slopes_over_time(arguments, add)
