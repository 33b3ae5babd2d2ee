"""The relaxed cell and its parts."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.cells.genotype import CONVOLUTIONAL_PRIMITIVES
from tf_darts.spaces.convolutional.relaxed.cell import (
    MixedOperation,
    RelaxedCell,
    convolutional_topology,
)
from tf_darts.spaces.fast_forms import without

NODES = 2


def spread_statistics(layer):
    """Other running statistics in every batch norm, as after training."""
    rng = np.random.default_rng(9)
    for variable in layer.non_trainable_variables:
        low, high = (-0.5, 0.5) if variable.name == "running_mean" else (0.5, 1.5)
        variable.assign(rng.uniform(low, high, variable.shape))


def test_the_weights_are_those_of_the_layers():
    """Whichever way computes first, and whether it is built before."""

    def paths(way):
        cell = RelaxedCell(2, nodes=NODES, seed=1, name="cell")
        inputs = [tf.ones([2, 4, 4, 2])] * 2
        mixing = tf.fill([cell.topology.edges, 8], 0.125)
        if way == "clear":
            cell.build(tuple(value.shape for value in inputs))
            with without(RelaxedCell):
                cell(inputs, mixing)
        else:
            cell(inputs, mixing)
        return [(v.path, tuple(v.shape), v.trainable) for v in cell.weights]

    fast, clear = paths("fast"), paths("clear")
    assert fast == clear
    names = [path for path, _, _ in fast]
    assert len(set(names)) == len(names)
    edges = convolutional_topology(NODES).edges
    # Two inputs; on an edge two separable convolutions of four kernels, two dilated of two.
    assert sum(trainable for *_, trainable in fast) == 2 + edges * (2 * 4 + 2 * 2)
    norms = 2 + edges * (2 + 2 * 2 + 2)
    assert sum(not trainable for *_, trainable in fast) == 2 * norms
    inside = {tuple(name.split("/")[:3]) for name in names if "edge_" in name}
    weighted = [name for name in CONVOLUTIONAL_PRIMITIVES if name not in ("none", "skip_connect")]
    assert inside == {
        ("cell", f"edge_{source}_{2 + node}", name)
        for node in range(NODES)
        for source in range(2 + node)
        for name in weighted
    }


@pytest.mark.slow
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("k", range(8), ids=CONVOLUTIONAL_PRIMITIVES)
def test_a_single_one_picks_the_operation(k, stride, float64):
    mixed = MixedOperation(4, stride=stride, seed=1)
    inputs = tf.constant(np.random.default_rng(1).standard_normal((2, 6, 5, 4)))
    mixed.build(inputs.shape)
    spread_statistics(mixed)
    operation = mixed.operations[CONVOLUTIONAL_PRIMITIVES[k]]
    wanted = operation(inputs).numpy()
    mixing = tf.one_hot(k, 8, dtype=tf.float64)
    np.testing.assert_allclose(mixed(inputs, mixing), wanted, rtol=1e-12, atol=1e-12)


def test_every_seeded_weight_is_its_own():
    cell, other = (RelaxedCell(4, nodes=NODES, seed=seed) for seed in (1, 2))
    for one in (cell, other):
        one.build(((None, 4, 4, 4), (None, 4, 4, 4)))
    values = [
        w.numpy().ravel()[:4].tobytes() for one in (cell, other) for w in one.trainable_weights
    ]
    assert len(set(values)) == len(values)


LAYERS = [
    MixedOperation(4, 2, ("none", "skip_connect", "sep_conv_3x3"), seed=3, name="mixed"),
    MixedOperation(2),
    RelaxedCell(4, True, True, nodes=1, seed=5, name="cell"),
    RelaxedCell(2, nodes=1),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_configurations_go_round(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    if layer.seed is None:
        return
    shape = (None, 4, 4, layer.channels)
    fresh = type(layer).from_config(layer.get_config())
    for one in (again, fresh):
        one.build(shape if isinstance(layer, MixedOperation) else (shape, shape))
    assert [w.path for w in again.weights] == [w.path for w in fresh.weights]
    for one, other in zip(again.weights, fresh.weights, strict=True):
        np.testing.assert_array_equal(one, other)
