"""Cells that share a traced function, against each by itself."""

import numpy as np
import tensorflow as tf

from tf_darts.cells.space import find_space
from tf_darts.spaces import fast_forms
from tf_darts.spaces.convolutional.operations.batch_norm import StatisticsLedger
from tf_darts.spaces.convolutional.relaxed.cell import MixedOperation
from tf_darts.spaces.draws import drawn_by
from tf_darts.spaces.nasbench201.cells import RelaxedBenchCell
from tf_darts.spaces.sampled import one_hot_mixing
from tf_darts.testing.derivatives import random


def cells(*channels):
    topology = find_space("nasbench201").narrowed("none,skip_connect,nor_conv_3x3")["cell"]
    made = [RelaxedBenchCell(c, topology, seed=i) for i, c in enumerate(channels)]
    for cell in made:
        cell.build((None, 4, 4, cell.channels))
    return made


def computed(made, inputs, mixing):
    """The sum over cells, one after another, its gradients of both orders, the new statistics."""
    statistics = [v for cell in made for v in cell.non_trainable_variables]
    zero = tf.UnconnectedGradients.ZERO  # of biases before a batch norm
    weights = [v.value for cell in made for v in cell.trainable_variables]

    @tf.function(autograph=False)
    def run(inputs, mixing):
        with tf.GradientTape() as outer:
            outer.watch(mixing)
            with tf.GradientTape() as tape, StatisticsLedger() as ledger:
                tape.watch([inputs, mixing])
                value = inputs
                for cell in made:
                    value = cell(value, mixing, training=True)
                loss = tf.reduce_sum(tf.square(value))
            slopes = tape.gradient(loss, [inputs, mixing, *weights], unconnected_gradients=zero)
            products = [tf.reduce_sum(slope * (1 + slope)) for slope in slopes]
        return value, slopes, outer.gradient(products, mixing), ledger.new_statistics(statistics)

    function = run.get_concrete_function(inputs, mixing)
    calls = [o for o in function.graph.get_operations() if o.type == "PartitionedCall"]
    return tf.nest.flatten(run(inputs, mixing)), {o.get_attr("f").name for o in calls}


def test_shared_and_apart_are_equal(float64):
    made = cells(2, 2)
    arguments = random(1, 3, 4, 4, 2), tf.nn.softmax(random(2, 6, 3))
    together, names = computed(made, *arguments)
    with fast_forms.without(RelaxedBenchCell):
        apart, none = computed(made, *arguments)
    assert names and not none
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)


def test_a_function_serves_all_cells_of_a_shape(float64):
    arguments = random(1, 3, 4, 4, 2), tf.nn.softmax(random(2, 6, 3))

    made = cells(2, 2, 2)
    run = tf.function(lambda x, p: [cell(x, p, training=True) for cell in made], autograph=False)
    graph = run.get_concrete_function(*arguments).graph
    calls = [o for o in graph.get_operations() if o.type == "PartitionedCall"]
    assert len(calls) == 3 and len({o.get_attr("f").name for o in calls}) == 1


def test_counted_operations_are_in_place(float64):
    arguments = random(1, 3, 4, 4, 2), tf.nn.softmax(random(2, 6, 3))
    with fast_forms.counted():
        _, names = computed(cells(2), *arguments)
    assert not names


def test_what_draws_is_not_shared(float64):
    edges = [MixedOperation(2, primitives=("noise", "skip_connect"), seed=i) for i in range(2)]
    for edge in edges:
        edge.build((None, 4, 4, 2))
    chosen = tf.constant([1.0, 0.0], tf.float64)

    @tf.function(autograph=False)
    def run(inputs):
        with one_hot_mixing(True), drawn_by(tf.constant([1, 2])):
            return [edge(inputs, chosen, training=True) for edge in edges]

    one, other = run(random(1, 3, 4, 4, 2))
    assert np.std(one) > 0.5 and not np.allclose(one, other)
