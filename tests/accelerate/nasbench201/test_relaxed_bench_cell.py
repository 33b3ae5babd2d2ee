"""What the contract of fast forms leaves out: running statistics, evaluation, other candidates."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.accelerate.nasbench201 import relaxed_bench_cell  # noqa: F401, registers it
from tf_darts.cells.space import find_space
from tf_darts.spaces import fast_forms
from tf_darts.spaces.nasbench201.cells import RelaxedBenchCell
from tf_darts.testing.derivatives import random

LISTS = (
    "",
    "skip_connect,nor_conv_1x1",
    "nor_conv_3x3",
    "none,avg_pool_3x3,nor_conv_3x3",
)


@pytest.mark.parametrize("names", LISTS)
def test_values_and_running_statistics(float64, names):
    topology = find_space("nasbench201").narrowed(names)["cell"]
    cell, inputs = RelaxedBenchCell(3, topology, seed=1), random(1, 2, 4, 5, 3)
    cell.build(inputs.shape)
    mixing = tf.nn.softmax(random(2, topology.edges, topology.columns))
    before = cell.get_weights()
    results = []
    for clear in (False, True):
        cell.set_weights(before)
        forms = fast_forms.without(RelaxedBenchCell) if clear else fast_forms.without(int)
        with forms, fast_forms.recorded() as taken:
            outputs = [cell(inputs, mixing, training=training) for training in (True, False)]
        assert (RelaxedBenchCell in taken) != clear
        results.append([*outputs, *cell.get_weights()])
    moved = [not np.array_equal(a, b) for a, b in zip(before, results[0][2:], strict=True)]
    assert any(moved)
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_biases_move_the_running_mean_alone(float64):
    topology = find_space("nasbench201").topologies["cell"]
    cell, inputs = RelaxedBenchCell(3, topology, seed=1), random(1, 2, 4, 5, 3)
    cell.build(inputs.shape)
    mixing = tf.fill([6, 5], tf.constant(0.2, tf.float64))
    layer = cell.edges[0].operations[3]
    outputs, means = [], []
    for value in (0.0, 1.0):
        layer.bias.assign(tf.fill([3], tf.constant(value, tf.float64)))
        layer.norm.running_mean.assign(tf.zeros([3], tf.float64))
        outputs.append(cell(inputs, mixing, training=True))
        means.append(layer.norm.running_mean.numpy())
    np.testing.assert_allclose(*outputs, rtol=1e-12)
    np.testing.assert_allclose(means[1] - means[0], 0.1)
