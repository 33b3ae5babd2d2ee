"""The layers and networks, against what is written out here by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_darts.cells.genotype import genotype_class
from tf_darts.cells.published import PUBLISHED
from tf_darts.cells.space import find_space
from tf_darts.errors import UserError
from tf_darts.runtime.seeds import sub_seed
from tf_darts.spaces.nasbench201 import strings
from tf_darts.spaces.nasbench201.cells import DerivedBenchCell, RelaxedBenchCell, RelaxedEdge
from tf_darts.spaces.nasbench201.network import (
    NasBench201Network,
    RelaxedBenchNetwork,
    ResidualBlock,
)
from tf_darts.spaces.nasbench201.operations import OPERATIONS, ReluConvNorm, make_operation
from tf_darts.testing.derivatives import random

CELLS = PUBLISHED["nasbench201"]
SMALL = {"classes": 3, "channels": 2, "cells_per_stage": 1, "seed": 0}


def topology():
    return find_space("nasbench201").topologies["cell"]


def convolved(x, kernel, stride=1):
    """A convolution pixel by pixel, padded by as much as reaches over the border."""
    reach = kernel.shape[0] // 2
    padded = np.pad(x, [(0, 0), (reach, reach), (reach, reach), (0, 0)])
    size = kernel.shape[0]
    rows = range(0, x.shape[1], stride)
    columns = range(0, x.shape[2], stride)
    windows = [[padded[:, r : r + size, c : c + size] for c in columns] for r in rows]
    return np.array([[np.tensordot(w, kernel, 3) for w in row] for row in windows]).transpose(
        2, 0, 1, 3
    )


def normalized(x):
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - mean) / np.sqrt(variance + 1e-5)


def pooled(x):
    """The mean of those of 3×3 pixels that are there."""
    out = np.empty_like(x)
    for r in range(x.shape[1]):
        for c in range(x.shape[2]):
            window = x[:, max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2]
            out[:, r, c] = window.mean((1, 2))
    return out


def applied(layer, name, x):
    """An operation of a relaxed edge, in training."""
    if name == "none":
        return np.zeros_like(x)
    if name == "skip_connect":
        return x
    if name == "avg_pool_3x3":
        return pooled(x)
    value = convolved(np.maximum(x, 0.0), np.array(layer.kernel))
    return normalized(value + (0.0 if layer.affine else np.array(layer.bias)))


def test_a_relaxed_cell_by_hand(float64):
    cell = RelaxedBenchCell(2, topology(), seed=1)
    x, mixing = random(1, 3, 4, 5, 2), tf.nn.softmax(random(2, 6, 5))
    cell.build(x.shape)
    nodes, row = [x.numpy()], 0
    for _ in range(3):
        total = 0.0
        for value in list(nodes):
            for k, (name, layer) in enumerate(
                zip(strings.OPERATIONS, cell.edges[row].operations, strict=True)
            ):
                total = total + mixing.numpy()[row, k] * applied(layer, name, value)
            row += 1
        nodes.append(total)
    np.testing.assert_allclose(cell(x, mixing, training=True), nodes[-1], rtol=1e-10, atol=1e-12)


def test_a_derived_cell_by_hand(float64):
    nodes = CELLS["best_cifar10"].cells["cell"].nodes
    cell = DerivedBenchCell(nodes, 2, seed=1)
    x = random(1, 3, 4, 5, 2)
    cell.build(x.shape)
    values, edges = [x.numpy()], iter(cell.edges)
    for node in nodes:
        values.append(sum(applied(next(edges), name, values[source]) for name, source in node))
    np.testing.assert_allclose(cell(x, training=True), values[-1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("size", [(4, 6), (5, 3)])
def test_a_residual_block_by_hand(float64, size):
    block, x = ResidualBlock(3, seed=1), random(1, 2, *size, 2)
    block.build(x.shape)
    values = x.numpy()
    a = normalized(convolved(np.maximum(values, 0), np.array(block.conv_a.kernel), 2))
    b = normalized(convolved(np.maximum(a, 0), np.array(block.conv_b.kernel)))
    quarters = np.array(
        [
            [values[:, r : r + 2, c : c + 2].mean((1, 2)) for c in range(0, size[1], 2)]
            for r in range(0, size[0], 2)
        ]
    ).transpose(2, 0, 1, 3)
    want = b + convolved(quarters, np.array(block.shortcut_kernel))
    np.testing.assert_allclose(block(x, training=True), want, rtol=1e-10, atol=1e-12)
    assert block(x).shape == want.shape == block.compute_output_shape(x.shape)


def test_what_has_a_bias_and_what_a_scale():
    search, evaluation = (make_operation("nor_conv_3x3", 4, affine=a) for a in (False, True))
    for layer in (search, evaluation):
        layer.build((None, 4, 4, 4))
    assert [v.name for v in search.trainable_variables] == ["kernel", "bias"]
    assert [v.name for v in evaluation.trainable_variables] == ["kernel", "scale", "offset"]
    model = RelaxedBenchNetwork(topology(), **SMALL)
    model.build((None, 8, 8, 3))
    names = {v.name for layer in (model.stem, model.cells[1]) for v in layer.trainable_variables}
    assert names == {"kernel", "shortcut_kernel", "scale", "offset"}
    assert model.last_norm.affine
    with pytest.raises(UserError, match="no operation 'sep'; give one of none, skip_connect"):
        make_operation("sep", 4)
    with pytest.raises(UserError, match="channels is -1; an operation needs at least 1"):
        make_operation("none", -1)


def test_pooling_leaves_a_constant_image_at_its_border_too():
    pool = OPERATIONS["avg_pool_3x3"](2)
    np.testing.assert_allclose(pool(tf.fill([1, 5, 4, 2], 3.0)), np.full((1, 5, 4, 2), 3.0), 1e-6)


@pytest.mark.parametrize("training", [False, True])
def test_a_network_without_operations_says_the_same_of_every_image(training):
    model = NasBench201Network(CELLS["all_none"], **SMALL)
    one, other = (model(random(i, 4, 8, 8, 3, dtype="float32"), training=training) for i in (1, 2))
    if not training:  # in training the blocks, which are still there, are normalised by the batch
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(one, np.repeat(one[:1], 4, axis=0))


@pytest.mark.parametrize("name", ["resnet", "best_imagenet16", "all_avg_pool"])
def test_a_supernet_at_a_corner_of_the_simplex_is_the_derived_network(float64, name):
    """In training, where a bias before a batch norm changes nothing."""
    supernet, derived = (
        RelaxedBenchNetwork(topology(), **SMALL),
        NasBench201Network(CELLS[name], **SMALL),
    )
    images = random(1, 4, 8, 8, 3)
    for model in (supernet, derived):
        model.build(images.shape)
    for one, other in zip(supernet.cells, derived.cells, strict=True):
        if isinstance(one, ResidualBlock):
            other.set_weights(one.get_weights())
            continue
        for edge, operation in zip(one.edges, other.edges, strict=True):
            if isinstance(operation, ReluConvNorm):
                same = {layer.name: layer for layer in edge.operations}
                (kept,) = [n for n in same if operation.name.endswith(n)]
                operation.kernel.assign(same[kept].kernel)
    for part in ("stem", "last_norm", "classifier"):
        getattr(derived, part).set_weights(getattr(supernet, part).get_weights())
    names = [edge for node in CELLS[name].cells["cell"].nodes for edge, _ in node]
    corner = np.array([[float(o == chosen) for o in strings.OPERATIONS] for chosen in names])
    logits = supernet(images, {"cell": tf.constant(corner)}, training=True)
    np.testing.assert_allclose(logits, derived(images, training=True), rtol=1e-9)


@pytest.mark.parametrize("kind", ["relaxed", "derived"])
def test_cells_computed_again(float64, kind):
    """Rematerialised, a network has the same logits, gradients and running statistics."""
    images, results = random(1, 2, 8, 8, 3), []
    for again in (False, True):
        model = (
            RelaxedBenchNetwork(topology(), **SMALL)
            if kind == "relaxed"
            else NasBench201Network(CELLS["best_cifar10"], **SMALL)
        )
        model.build(images.shape)
        model.rematerialize = again
        mixing = tf.nn.softmax(random(2, 6, 5))
        with tf.GradientTape() as tape:
            tape.watch(mixing)
            extra = [{"cell": mixing}] if kind == "relaxed" else []
            loss = tf.reduce_sum(model(images, *extra, training=True) ** 2)
        sources = [mixing] * len(extra) + [w.value for w in model.trainable_variables]
        slopes = tape.gradient(loss, sources, unconnected_gradients="zero")
        results.append([loss, *slopes, *model.non_trainable_variables])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-12)


def test_seeds_decide_the_first_weights():
    models = [NasBench201Network(CELLS["all_3x3"], **SMALL | {"seed": seed}) for seed in (1, 1, 2)]
    for model in models:
        model.build((None, 8, 8, 3))
    one, again, other = ([np.array(v) for v in model.trainable_variables] for model in models)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    kernels = [v.ravel()[0] for v in one if v.ndim == 4]
    assert len(set(kernels)) == len(kernels), "no two kernels begin alike"
    assert not np.array_equal(one[0], other[0])
    assert sub_seed(1, "weights") != 1


def test_configurations_go_there_and_back(tmp_path):
    images = random(1, 2, 8, 8, 3, dtype="float32")
    model = NasBench201Network(CELLS["resnet"], **SMALL)
    logits = model(images)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(restored(images), logits, rtol=1e-6)
    assert restored.genotype == model.genotype
    supernet = RelaxedBenchNetwork(topology(), **SMALL)
    again = RelaxedBenchNetwork.from_config(supernet.get_config())
    assert again.topology == supernet.topology and again.get_config() == supernet.get_config()
    for layer in (
        RelaxedEdge(2, strings.OPERATIONS, seed=1),
        RelaxedBenchCell(2, topology(), seed=1),
        DerivedBenchCell(CELLS["resnet"].cells["cell"].nodes, 2, seed=1),
        ResidualBlock(4, seed=1),
        ReluConvNorm(4, 3, seed=1, affine=False),
    ):
        assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


def test_networks_that_cannot_be():
    with pytest.raises(UserError, match="cells_per_stage is 0; a network needs at least 1"):
        NasBench201Network(CELLS["resnet"], **SMALL | {"cells_per_stage": 0})
    other = PUBLISHED["convolutional"]["darts_v2"]
    with pytest.raises(
        UserError, match="cannot be made of a convolutional cell; give it a cell of"
    ):
        NasBench201Network(other, **SMALL)
    with pytest.raises(UserError, match="made of a str; give it a cell of the space nasbench201"):
        NasBench201Network("resnet", **SMALL)
    with pytest.raises(UserError, match="classes is 'ten'; a network needs at least 1"):
        NasBench201Network(CELLS["resnet"], **SMALL | {"classes": "ten"})
    with pytest.raises(UserError, match="with the last three known"):
        NasBench201Network(CELLS["resnet"], **SMALL).build((None, None, 8, 3))


def test_other_operations_and_cells_of_other_sizes():
    """A search of three candidates; a cell of two nodes, as another program may have it."""
    narrow = find_space("nasbench201").narrowed("skip_connect,nor_conv_1x1,nor_conv_3x3")["cell"]
    model = RelaxedBenchNetwork(narrow, **SMALL)
    images = random(1, 2, 8, 8, 3, dtype="float32")
    assert model(images, {"cell": tf.fill([6, 3], 1 / 3)}).shape == (2, 3)
    short = genotype_class("nasbench201")([("none", 0), ("skip_connect", 0), ("nor_conv_1x1", 1)])
    assert NasBench201Network(short, **SMALL)(images).shape == (2, 3)
