"""How much memory the gradients of the language models take, by arithmetic.

The recurrences are loops that write what they keep to arrays over time; a [B, U] tensor of each
time step is the unit here.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from tf_darts.cells.genotype import RecurrentGenotype, primitives_of
from tf_darts.runtime.memory.traced import TracedMemory, in_order, size_in_bytes, traced
from tf_darts.spaces.recurrent.derived.recurrence import derived_step
from tf_darts.spaces.recurrent.relaxed.recurrence import time_step
from tf_darts.spaces.recurrent.rematerialized import CHUNKS
from tf_darts.spaces.recurrent.word_model import WordModel

# Operations of a gradient, for each node, and of all around.
_OPERATIONS, _NODE_OPERATIONS = 600, 220

_SEQUENCES = 64  # sequences, by which the tensors of a time step are counted
_TENSORS_AROUND_LOOPS = 6  # [T, B, U] tensors of the cell's gradient outside its loops


class Recurrence(NamedTuple):
    """What a recurrence writes in a time step, in [B, U] tensors.

    Attributes:
      retained: forward, besides its output; for second derivatives, until the last of them.
      slopes: on the way back.
      nodes: that it has, of which the size of its graph depends.
    """

    retained: int
    slopes: int
    nodes: int


def relaxed(nodes: int, edges: int, order: int = 1) -> Recurrence:
    """The relaxed cell's, in the fast form.

    Args:
      nodes: N, searched ones.
      edges: E, those into them.
      order: 2 for second derivatives.
    """
    activations = 2 * (1 + edges)
    # Its record: masked sources, states, activations; the slopes of these and of nodes.
    retained, slopes = nodes + nodes + 1 + activations, activations + nodes
    if order == 2:
        # Tangents of outputs, states and activations, pairs of sources;
        # every slope with its tangent.
        retained += 1 + nodes + 1 + activations + 2 * nodes
        slopes *= 2
    return Recurrence(retained, slopes, order * nodes)


def relaxed_clear(nodes: int, edges: int, units: int, order: int = 1) -> Recurrence:
    """The relaxed cell's in the clear form, as with replicas that compute together.

    TensorFlow's loops keep of every time step what the gradient's loop reads; of that loop too
    where it is differentiated again, and then its slopes stay until the forward loop's turn.

    Args:
      nodes: N, searched ones.
      edges: E, those into them.
      units: U.
      order: 2 for second derivatives.
    """
    columns = len(primitives_of("recurrent"))
    state, kernel = tf.TensorSpec([_SEQUENCES, units]), tf.TensorSpec([units, 2 * units])
    first, mixing = tf.TensorSpec([2 * units, 2 * units]), tf.TensorSpec([edges, columns])
    kernels, masks = [kernel] * nodes, [state] * 2
    step = traced(
        lambda *arguments: time_step(*arguments)[0],
        *(state, state, first, kernels, mixing, masks),
        order=order,
    )
    retained = step.retained if order == 1 else step.peak
    return Recurrence(round(retained / size_in_bytes(state)), 0, order * nodes)


def derived_clear(genotype: RecurrentGenotype, units: int) -> Recurrence:
    """A derived cell's in the clear form; see `relaxed_clear`."""
    state, kernel = tf.TensorSpec([_SEQUENCES, units]), tf.TensorSpec([units, 2 * units])
    first, kernels = tf.TensorSpec([2 * units, 2 * units]), [kernel] * len(genotype.edges)
    step = traced(
        lambda *arguments: derived_step(genotype, *arguments),
        *(state, state, first, kernels, state, state),
    )
    return Recurrence(round(step.retained / size_in_bytes(state)), 0, len(genotype.edges))


def derived(genotype: RecurrentGenotype) -> Recurrence:
    """A derived cell's in the fast form: activations, states, and masked states that are read."""
    read = len({predecessor for _, predecessor in genotype.edges})
    nodes = len(genotype.edges)
    activations = 2 * (1 + nodes)
    # Slopes and masked states are made one array each for a kernel's gradient, a few at a time.
    return Recurrence(activations + 2 * read, activations + 6, nodes)


def of_model(model: WordModel, recurrence: Recurrence, batch: Any) -> TracedMemory:
    """Of a language model's gradient.

    Args:
      model: what is around the cell.
      recurrence: of its cell.
      batch: `tf.TensorSpec`s of shape [T, B], of words and of targets.
    """
    steps, sequences = batch[0].shape
    size = tf.as_dtype(model.compute_dtype).size
    state = steps * sequences * model.units * size
    logits = steps * sequences * model.words * size
    operations = _OPERATIONS + _NODE_OPERATIONS * recurrence.nodes
    # Embedded words, masked; what the first product makes of them; in the gradient, the same.
    embedding = TracedMemory(2 * state, 2 * state)
    # The gradient of the decoder's kernel may wait until the cell's is under way.
    slopes = (recurrence.slopes + _TENSORS_AROUND_LOOPS) * state + logits
    cell = TracedMemory((recurrence.retained + 2) * state, slopes, operations)
    if model.cell.rematerialize:
        cell = TracedMemory(state, cell.peak // CHUNKS, 2 * CHUNKS * cell.operations)
    outputs = TracedMemory(2 * state, state)
    # The probabilities are kept, beside the logits, or their slopes.
    decoder = TracedMemory(logits, logits)
    return in_order([embedding, cell, outputs, decoder])
