"""The relaxed cell's fast form against its layers."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.accelerate.convolutional.relaxed_cell import edges_from
from tf_darts.cells.genotype import CONVOLUTIONAL_PRIMITIVES, EXTRA_CONVOLUTIONAL_PRIMITIVES
from tf_darts.cells.topology import CellTopology
from tf_darts.spaces.convolutional.operations.registry import make_operation
from tf_darts.spaces.convolutional.relaxed.cell import MixedOperation, RelaxedCell
from tf_darts.spaces.draws import drawn_by
from tf_darts.spaces.fast_forms import recorded, without

TOLERANCES = {"float64": 1e-12, "float32": 1e-5}
KINDS = {
    "normal": dict(),
    "reduction": dict(reduction=True),
    "after_reduction": dict(reduction_before=True),
}
BATCH, NODES = 3, 2


@pytest.fixture
def precise(request):
    """Makes the parameter's type the type of everything new."""
    if request.param == "float64":
        request.getfixturevalue("float64")
    return request.param


both_types = pytest.mark.parametrize("precise", TOLERANCES, indirect=True)


def norm(values):
    return np.sqrt(sum(np.sum(np.square(value, dtype="float64")) for value in values))


def same(ours, theirs, dtype):
    """Relative to the norm of the whole."""
    assert [value.shape for value in ours] == [value.shape for value in theirs]
    difference = [np.subtract(one, other) for one, other in zip(ours, theirs, strict=True)]
    assert norm(theirs) > 0
    assert norm(difference) <= TOLERANCES[dtype] * norm(theirs)


def clear(cell):
    """The cell without its own fast form."""

    def call(*arguments, **settings):
        with without(RelaxedCell):
            return cell(*arguments, **settings)

    return call


def dense(gradients):
    """As arrays; that of a gathered table is not dense."""
    return [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]


def spread_statistics(layer):
    """Other running statistics in every batch norm, as after training."""
    rng = np.random.default_rng(9)
    for variable in layer.non_trainable_variables:
        low, high = (-0.5, 0.5) if variable.name == "running_mean" else (0.5, 1.5)
        variable.assign(rng.uniform(low, high, variable.shape))


def evaluate(function, inputs, mixing, layers, training):
    """Outputs, gradients by inputs, mixing and weights, and what running statistics become."""
    weights = [weight for layer in layers for weight in layer.trainable_variables]
    running = [value for layer in layers for value in layer.non_trainable_variables]
    before = [value.numpy() for value in running]
    with tf.GradientTape() as tape, drawn_by(tf.constant([1, 2])):
        tape.watch([*inputs, mixing])
        outputs = function(inputs, mixing, training=training)
        probe = np.random.default_rng(3).standard_normal(outputs.shape)
        total = tf.reduce_sum(outputs * tf.constant(probe, outputs.dtype))
    arguments = [*inputs, mixing, *(weight.value for weight in weights)]
    gradients = dense(tape.gradient(total, arguments, unconnected_gradients="zero"))
    after = [value.numpy() for value in running]
    for value, old in zip(running, before, strict=True):
        value.assign(old)
    return {
        "outputs": [outputs.numpy()],
        "by inputs": gradients[: len(inputs)],
        "by mixing": [gradients[len(inputs)]],
        "by weights": gradients[len(inputs) + 1 :],
        "statistics": after,
        "moved": [new - old for new, old in zip(after, before, strict=True)],
    }


def compare(fast, clear, dtype, training):
    assert fast.keys() == clear.keys()
    for name in fast:
        if name == "moved" and not training:
            assert norm(fast[name]) == norm(clear[name]) == 0
        else:
            same(fast[name], clear[name], dtype)


def cell_and_inputs(kind, size, dtype, nodes=NODES):
    cell = RelaxedCell(4, nodes=nodes, seed=1, **KINDS[kind])
    before = tuple(2 * n - n % 2 for n in size) if cell.reduction_before else size
    shapes = [(BATCH, *before, 6), (BATCH, *size, 8)]
    cell.build(tuple(shapes))
    spread_statistics(cell)
    rng = np.random.default_rng(2)
    inputs = [tf.constant(rng.standard_normal(shape), dtype) for shape in shapes]
    mixing = tf.nn.softmax(tf.constant(rng.standard_normal((cell.topology.edges, 8)), dtype))
    return cell, inputs, mixing


@pytest.mark.parametrize(("size", "training"), [((6, 6), True), ((5, 7), True), ((5, 7), False)])
@pytest.mark.parametrize("kind", KINDS)
@both_types
def test_both_ways_are_one(precise, kind, size, training):
    cell, inputs, mixing = cell_and_inputs(kind, size, precise)
    fast = evaluate(cell, inputs, mixing, [cell], training)
    wanted = evaluate(clear(cell), inputs, mixing, [cell], training)
    half = [-(-n // 2) for n in size] if cell.reduction else size
    assert fast["outputs"][0].shape == (BATCH, *half, NODES * 4)
    compare(fast, wanted, precise, training)


@pytest.mark.parametrize("output", ["concat", "mean", "last"])
@pytest.mark.parametrize("inputs", [1, 3])
def test_both_ways_are_one_for_other_topologies(float64, inputs, output):
    operations = ("none", "skip_connect", "sep_conv_3x3")
    topology = CellTopology(inputs, 2, None, operations, output=output)
    preprocessed = inputs == 3
    cell = RelaxedCell(4, topology=topology, preprocessed=preprocessed, seed=1)
    shapes = [(BATCH, 6, 6, 4)] * inputs
    cell.build(shapes)
    spread_statistics(cell)
    rng = np.random.default_rng(2)
    values = [tf.constant(rng.standard_normal(shape)) for shape in shapes]
    mixing = tf.nn.softmax(tf.constant(rng.standard_normal((topology.edges, 3))))
    fast, wanted = (evaluate(way, values, mixing, [cell], True) for way in (cell, clear(cell)))
    compare(fast, wanted, "float64", True)
    assert fast["outputs"][0].shape[-1] == cell.output_channels == (8 if output == "concat" else 4)
    again = RelaxedCell.from_config(cell.get_config())
    assert (again.topology, again.preprocessed) == (topology, preprocessed)


def test_edges_with_lists_of_their_own_are_computed_by_their_layers(float64):
    lists = (("skip_connect", "dil_conv_3x3"), ("max_pool_3x3", "skip_connect"))
    cell = RelaxedCell(4, topology=CellTopology(2, 1, 2, lists), seed=1)
    shapes = [(BATCH, 6, 6, 4)] * 2
    cell.build(shapes)
    rng = np.random.default_rng(2)
    values = [tf.constant(rng.standard_normal(shape)) for shape in shapes]
    mixing = tf.constant([[0.25, 0.75], [1.0, 0.0]], tf.float64)
    with recorded() as taken:
        output = cell(values, mixing, training=True)
    assert RelaxedCell not in taken
    given = cell.given_nodes(values, True)
    edges = [[*edge.operations.values()] for edge in cell.edges]
    wanted = 0.25 * edges[0][0](given[0]) + 0.75 * edges[0][1](given[0], training=True)
    wanted += edges[1][0](given[1], training=True)
    np.testing.assert_allclose(output, wanted, rtol=1e-12, atol=1e-12)


@both_types
def test_both_ways_are_one_with_four_nodes(precise):
    """Sixteen channels and more side by side."""
    cell, inputs, mixing = cell_and_inputs("reduction", (6, 6), precise, nodes=4)
    results = [evaluate(way, inputs, mixing, [cell], True) for way in (cell, clear(cell))]
    compare(*results, precise, True)


def test_second_derivatives_both_ways_are_one(float64):
    cell, inputs, mixing = cell_and_inputs("reduction", (6, 6), "float64")
    weights = [weight.value for weight in cell.trainable_variables]

    def second(way):
        with tf.GradientTape() as outer:
            outer.watch(mixing)
            with tf.GradientTape() as inner:
                total = tf.reduce_sum(tf.sin(way(inputs, mixing, training=True)))
            gradients = inner.gradient(total, weights, unconnected_gradients="zero")
            squares = tf.add_n([tf.reduce_sum(gradient**2) for gradient in gradients])
        arguments = [mixing, *weights]
        return dense(outer.gradient(squares, arguments, unconnected_gradients="zero"))

    same(second(cell), second(clear(cell)), "float64")


PRIMITIVES = {
    "extra": EXTRA_CONVOLUTIONAL_PRIMITIVES,
    "some": ("conv_7x1_1x7", "skip_connect", "sep_conv_7x7", "none", "max_pool_3x3"),
}


@pytest.mark.parametrize("affine", [True, False], ids=["plain_pooling", "normalized_pooling"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("primitives", PRIMITIVES.values(), ids=PRIMITIVES.keys())
def test_operations_without_a_fast_form(primitives, stride, affine, float64):
    """Pooling without a batch norm too, which no search has."""

    def make(name, edge):
        flat = affine and name.startswith("max_pool")
        return make_operation(name, 4, stride=stride, affine=flat, seed=edge)

    edges = [[make(name, edge) for name in primitives] for edge in range(2)]
    layers = [operation for operations in edges for operation in operations]
    source = tf.constant(np.random.default_rng(1).standard_normal((BATCH, 6, 5, 4)))
    for layer in layers:
        layer.build(source.shape)
        spread_statistics(layer)
    mixing = tf.constant(np.random.default_rng(2).uniform(size=(2, len(primitives))))

    def fast(inputs, mixing, training):
        return tf.concat(edges_from(inputs[0], edges, mixing, stride, training), axis=-1)

    def clear(inputs, mixing, training):
        sums = [
            tf.add_n(
                [p * o(inputs[0], training=training) for p, o in zip(row, operations, strict=True)]
            )
            for row, operations in zip(tf.unstack(mixing), edges, strict=True)
        ]
        return tf.concat(sums, axis=-1)

    for training in (True, False):
        results = [evaluate(way, [source], mixing, layers, training) for way in (fast, clear)]
        compare(*results, "float64", training)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("k", range(8), ids=CONVOLUTIONAL_PRIMITIVES)
def test_a_single_one_picks_the_operation(k, stride, float64):
    mixed = MixedOperation(4, stride=stride, seed=1)
    inputs = tf.constant(np.random.default_rng(1).standard_normal((2, 6, 5, 4)))
    mixed.build(inputs.shape)
    spread_statistics(mixed)
    operation = mixed.operations[CONVOLUTIONAL_PRIMITIVES[k]]
    mixing = tf.one_hot([k], 8, dtype=tf.float64)
    edge = [list(mixed.operations.values())]
    for training in (False, True):
        (fast,) = edges_from(inputs, edge, mixing, stride, training)
        wanted = operation(inputs, training=training)
        np.testing.assert_allclose(fast, wanted, rtol=1e-12, atol=1e-12)
