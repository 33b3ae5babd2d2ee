"""A derived recurrent cell over a sequence, made fast: `derived_recurrence`.

Same numbers, other order of work:

- The part of the first product that reads the inputs is one product for all time steps.
- What lies between two products is one XLA cluster (`derived_nodes`).
- The gradient is written by hand. Going back in time it computes only the chain, the slopes
  (∂loss/∂) of states and activations; the kernels' gradients are products over all time steps
  after it.

Shapes: T time steps, B sequences, U units, N nodes after node 0.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tf_darts.accelerate.recurrent import derived_nodes as clusters
from tf_darts.accelerate.recurrent.time_arrays import arrays as new_arrays
from tf_darts.accelerate.recurrent.time_arrays import flat, write
from tf_darts.cells.genotype import RecurrentGenotype
from tf_darts.runtime.custom_gradient import custom_gradient
from tf_darts.runtime.precision import matmul
from tf_darts.spaces.fast_forms import register
from tf_darts.spaces.recurrent.derived.cell import DerivedRecurrentCell


class _Arguments(NamedTuple):
    """What has a gradient; see `derived_recurrence`."""

    inputs: tf.Tensor
    hidden: tf.Tensor
    input_kernel: tf.Tensor
    node_kernels: Sequence[tf.Tensor]


class _Record(NamedTuple):
    """What one time step leaves behind, or `tf.TensorArray`s of it.

    Attributes:
      output: [B, U].
      first: [B, 2U], the activations [c, z] of node 0.
      activations: the same of each later node.
      states: [B, U], of each node that is read.
      sources: the same, masked.
    """

    output: Any
    first: Any
    activations: Any
    states: Any
    sources: Any


class _Slopes(NamedTuple):
    """What one time step leaves behind on the way back: as in `_Record`."""

    first: Any
    activations: Any


@register(DerivedRecurrentCell, "always", second=False)
def fast_derived_recurrence(
    genotype: RecurrentGenotype,
    inputs: tf.Tensor,
    hidden: tf.Tensor,
    input_kernel: tf.Tensor,
    node_kernels: Sequence[tf.Tensor],
    input_mask: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> tf.Tensor:
    """`derived_recurrence`, with its arguments.

    The masks have no gradient. The gradient has none either: `LookupError` where one is asked for.
    """
    masks = (tf.ensure_shape(input_mask, hidden.shape), tf.ensure_shape(hidden_mask, hidden.shape))

    @custom_gradient
    def recurrence(*arguments: Any) -> tuple[tf.Tensor, Callable[..., Any]]:
        # Nothing in here is for a tape to record: `gradient` says it all.
        constants = _Arguments(*tf.nest.map_structure(tf.stop_gradient, arguments))
        record = _forward(genotype, constants, *masks)
        outputs = record.output.stack()

        def gradient(upstream: tf.Tensor) -> Any:
            slopes = _gradient(genotype, upstream, constants, record, outputs, *masks)
            return tuple(tf.nest.map_structure(_prevent_gradient, slopes))

        return outputs, gradient

    kernels = [tf.convert_to_tensor(kernel) for kernel in node_kernels]
    return recurrence(inputs, hidden, tf.convert_to_tensor(input_kernel), kernels)


def _prevent_gradient(slope: tf.Tensor) -> tf.Tensor:
    message = "The fast derived recurrence has no second derivative; use --accelerate=off."
    return tf.raw_ops.PreventGradient(input=slope, message=message)


def _forward(
    genotype: RecurrentGenotype,
    arguments: _Arguments,
    input_mask: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> _Record:
    """Runs the cell forward in time; returns `tf.TensorArray`s over time."""
    steps, units = tf.shape(arguments.inputs)[0], hidden_mask.shape[-1]
    projected = matmul(flat(arguments.inputs * input_mask), arguments.input_kernel[:units])
    projected = tf.reshape(projected, [steps, -1, 2 * units])
    hidden_kernel = arguments.input_kernel[units:]
    read = _read_nodes(genotype)

    def step(t: tf.Tensor, previous: tf.Tensor, arrays: _Record) -> tuple[Any, ...]:
        product = matmul(previous * hidden_mask, hidden_kernel)
        first, *entry = clusters.first_state(projected[t], product, previous, hidden_mask)
        entries, activations = [entry], []  # entries: each node's state, and that masked
        for (operation, predecessor), kernel in zip(
            genotype.edges, arguments.node_kernels, strict=True
        ):
            state, source = entries[predecessor]
            activations.append(matmul(source, kernel))
            entries.append(clusters.node_state(activations[-1], state, hidden_mask, operation))
        output = tf.add_n([entries[node][0] for node in genotype.concat]) / len(genotype.concat)
        # The batch may be known of the hidden state only, and a loop's shapes must stay.
        output = tf.ensure_shape(output, arguments.hidden.shape)
        states, sources = ([entries[node][i] for node in read] for i in range(2))
        record = _Record(output, first, activations, states, sources)
        return t + 1, output, write(arrays, t, record)

    structure = _Record(0, 0, [0] * len(genotype.edges), [0] * len(read), [0] * len(read))
    start = (tf.constant(0), arguments.hidden, new_arrays(structure, steps, arguments.hidden.dtype))
    return tf.while_loop(lambda t, *_: t < steps, step, start)[2]


def _gradient(
    genotype: RecurrentGenotype,
    upstream: tf.Tensor,
    arguments: _Arguments,
    record: _Record,
    outputs: tf.Tensor,
    input_mask: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> _Arguments:
    """The gradient for the slopes `upstream` of the outputs, [T, B, U] both."""
    units = hidden_mask.shape[-1]
    previous = tf.concat([arguments.hidden[tf.newaxis], outputs[:-1]], axis=0)
    slopes, hidden_slope = _backward(genotype, upstream, arguments, record, previous, hidden_mask)
    first = flat(slopes.first.stack())
    inputs_slope = matmul(first, arguments.input_kernel[:units], transpose_b=True)
    cell_inputs = tf.concat([arguments.inputs * input_mask, previous * hidden_mask], axis=-1)
    read = _read_nodes(genotype)
    sources = {node: flat(array.stack()) for node, array in zip(read, record.sources, strict=True)}
    return _Arguments(
        tf.reshape(inputs_slope, tf.shape(arguments.inputs)) * input_mask,
        hidden_slope,
        matmul(flat(cell_inputs), first, transpose_a=True),
        [
            matmul(sources[predecessor], flat(array.stack()), transpose_a=True)
            for (_, predecessor), array in zip(genotype.edges, slopes.activations, strict=True)
        ],
    )


def _backward(
    genotype: RecurrentGenotype,
    upstream: tf.Tensor,
    arguments: _Arguments,
    record: _Record,
    previous: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> tuple[_Slopes, tf.Tensor]:
    """Runs the chain back in time; `previous` [T, B, U] are the hidden states before each step.

    Returns:
      `tf.TensorArray`s over time, and the slope of the hidden state before the first step.
    """
    steps, units = tf.shape(upstream)[0], hidden_mask.shape[-1]
    # Transposed once: the product with a transposed matrix is the slower one.
    hidden_kernel = tf.transpose(arguments.input_kernel[units:])
    node_kernels = [tf.transpose(kernel) for kernel in arguments.node_kernels]
    nodes, place = len(node_kernels), {node: i for i, node in enumerate(_read_nodes(genotype))}

    def step(t: tf.Tensor, hidden_slope: tf.Tensor, arrays: _Slopes) -> tuple[Any, ...]:
        output_slope = (upstream[t] + hidden_slope) / len(genotype.concat)
        received = [[] for _ in range(nodes + 1)]
        activation_slopes = []  # the last node's first
        for node in range(nodes, 0, -1):
            operation, predecessor = genotype.edges[node - 1]
            carried, slope = clusters.node_slopes(
                output_slope if node in genotype.concat else None,
                received[node],
                record.activations[node - 1].read(t),
                record.states[place[predecessor]].read(t),
                hidden_mask,
                operation,
            )
            received[predecessor].append((carried, matmul(slope, node_kernels[node - 1])))
            activation_slopes.append(slope)
        carried, first = clusters.first_slopes(
            received[0], record.first.read(t), previous[t], hidden_mask
        )
        hidden_slope = carried + matmul(first, hidden_kernel) * hidden_mask
        return t - 1, hidden_slope, write(arrays, t, _Slopes(first, activation_slopes[::-1]))

    structure = _Slopes(0, [0] * nodes)
    start = (
        steps - 1,
        tf.zeros_like(arguments.hidden),
        new_arrays(structure, steps, upstream.dtype),
    )
    _, hidden_slope, slopes = tf.while_loop(lambda t, *_: t >= 0, step, start)
    return slopes, hidden_slope


def _read_nodes(genotype: RecurrentGenotype) -> list[int]:
    """The nodes that others read."""
    return sorted({predecessor for _, predecessor in genotype.edges})
