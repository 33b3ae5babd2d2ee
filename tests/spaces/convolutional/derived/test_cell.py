"""The discrete cell against the sum over its edges, and drop-path."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.cells.published import PUBLISHED
from tf_darts.spaces.convolutional.derived.cell import DerivedCell, drop_path_factors
from tf_darts.spaces.convolutional.operations.registry import Identity

CELLS = PUBLISHED["convolutional"]
BATCH, C = 3, 4


def cell_and_inputs(name="darts_v2", reduction=False, reduction_before=False, size=(6, 5)):
    genotype = CELLS[name]
    nodes, concat = (
        (genotype.reduce, genotype.reduce_concat)
        if reduction
        else (genotype.normal, genotype.normal_concat)
    )
    cell = DerivedCell(nodes, concat, C, reduction, reduction_before, seed=1)
    before = tuple(2 * n - n % 2 for n in size) if reduction_before else size
    rng = np.random.default_rng(0)
    inputs = [
        tf.constant(rng.standard_normal(shape), cell.dtype)
        for shape in ((BATCH, *before, 6), (BATCH, *size, 8))
    ]
    cell.build(tuple(tuple(value.shape) for value in inputs))
    return cell, inputs


def reference(cell, nodes, concat, inputs, factors, training):
    """Node by node as the genotype reads; the operations have tests of their own."""
    values = [
        layer(value, training=training)
        for layer, value in zip(cell.preprocess, inputs, strict=True)
    ]
    for i, (left, right) in enumerate(nodes):
        total = 0.0
        for place, (name, source) in ((2 * i, left), (2 * i + 1, right)):
            layer = cell.edges[place]
            assert layer.stride == (2 if cell.reduction and source < 2 else 1)
            term = layer(values[source], training=training).numpy()
            if factors is not None and (name != "skip_connect" or layer.stride == 2):
                term = np.stack([f * y for f, y in zip(factors[place], term, strict=True)])
            total = total + term
        values.append(tf.constant(total))
    return np.concatenate([values[node].numpy() for node in concat], axis=-1)


@pytest.mark.parametrize("dropping", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("reduction", "before"), [(False, False), (True, False), (False, True), (True, True)]
)
@pytest.mark.parametrize("name", CELLS)
def test_nodes_are_sums_of_their_edges(name, reduction, before, training, dropping, float64):
    genotype = CELLS[name]
    nodes = genotype.reduce if reduction else genotype.normal
    concat = genotype.reduce_concat if reduction else genotype.normal_concat
    cell, inputs = cell_and_inputs(name, reduction, before)
    factors = None
    if dropping:
        factors = np.random.default_rng(1).uniform(size=(len(cell.edges), BATCH))
    outputs = cell(inputs, factors, training=training)
    size = (3, 3) if reduction else (6, 5)
    assert outputs.shape == (BATCH, *size, len(concat) * C)
    assert outputs.shape == cell.compute_output_shape([value.shape for value in inputs])
    wanted = reference(cell, nodes, concat, inputs, factors, training)
    np.testing.assert_allclose(outputs, wanted, rtol=1e-11, atol=1e-12)


def test_identities_are_never_dropped(float64):
    """With every factor zero only they are left: node 4 is x1, node 5 then x0."""
    cell, inputs = cell_and_inputs()
    zeros = tf.zeros([len(cell.edges), BATCH], tf.float64)
    outputs = tf.split(cell(inputs, zeros, training=True), 4, axis=-1)
    x0 = cell.preprocess[0](inputs[0], training=True)
    # Nodes: sep + sep, sep + sep, sep + skip 0, skip 0 + dil.
    for node, wanted in zip(outputs, (0 * x0, 0 * x0, x0, x0), strict=True):
        np.testing.assert_allclose(node, wanted, rtol=1e-12, atol=1e-12)
    # At stride 2, skip_connect has weights, and is dropped.
    cell, inputs = cell_and_inputs("darts_v1", reduction=True)
    assert sum(isinstance(layer, Identity) for layer in cell.edges) == 3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_drop_path_factors(dtype):
    seed = tf.constant([3, 4])
    factors = drop_path_factors(seed, 0.2, 50, 4000, dtype).numpy()
    assert factors.shape == (50, 4000)
    assert factors.dtype == dtype
    np.testing.assert_allclose(np.unique(factors), [0.0, 1.25], rtol=1e-6)
    # Four standard errors of a mean of 200,000.
    assert abs(factors.mean() - 1.0) < 4 * 0.5 / np.sqrt(factors.size)
    # Each example and each edge draws for itself.
    assert np.all(np.abs(np.corrcoef(factors[:4])[np.triu_indices(4, 1)]) < 0.07)
    assert np.mean(factors[:, :-1] != factors[:, 1:]) > 0.1
    np.testing.assert_array_equal(factors, drop_path_factors(seed, 0.2, 50, 4000, dtype))
    assert np.any(factors != drop_path_factors(seed + 1, 0.2, 50, 4000, dtype))


@pytest.mark.parametrize(("rate", "value"), [(0.0, 1.0), (1.0, 0.0)])
def test_nothing_and_everything_dropped(rate, value):
    factors = drop_path_factors(tf.constant([1, 2]), tf.constant(rate), 5, 100, "float32")
    np.testing.assert_array_equal(factors, np.full((5, 100), value))


def test_configurations_go_round():
    cell, _ = cell_and_inputs("amoebanet", reduction=True)
    again = DerivedCell.from_config(cell.get_config())
    assert again.get_config() == cell.get_config()
    again.build(((None, 6, 5, 6), (None, 6, 5, 8)))
    assert [w.path for w in again.weights] == [w.path for w in cell.weights]
    for one, other in zip(again.weights, cell.weights, strict=True):
        np.testing.assert_array_equal(one, other)
