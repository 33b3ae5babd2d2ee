"""Cells that share a traced function, against each by itself."""

import numpy as np
import tensorflow as tf

from tf_darts.cells.space import find_space
from tf_darts.spaces import fast_forms
from tf_darts.spaces.constant_weights import constant_weights
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


def computed_types(function):
    """The operations of a function's definition on which its results depend."""
    nodes = {node.name: node for node in function.node_def}
    waiting, seen = [name.split(":")[0] for name in function.ret.values()], set()
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in seen:
            seen.add(name)
            waiting += [source.lstrip("^").split(":")[0] for source in nodes[name].input]
    return [nodes[name].op for name in seen]


def test_constant_weights_get_no_gradient(float64):
    arguments = random(1, 3, 4, 4, 2), tf.nn.softmax(random(2, 6, 3))
    made = cells(2, 2)

    def slope_of(constant):
        @tf.function(autograph=False)
        def slope(inputs, mixing):
            with tf.GradientTape() as tape, constant_weights(constant):
                tape.watch(mixing)
                value = inputs
                for cell in made:
                    value = cell(value, mixing, training=True)
                loss = tf.reduce_sum(tf.square(value))
            return tape.gradient(loss, mixing)

        library = slope.get_concrete_function(*arguments).graph.as_graph_def().library
        types = [name for function in library.function for name in computed_types(function)]
        return slope(*arguments), types.count("Conv2DBackpropFilter")

    (one, none), (other, some) = slope_of(True), slope_of(False)
    np.testing.assert_array_equal(one, other)
    assert not none and some


def test_a_graph_of_both_has_both(float64):
    """What is traced for constant weights does not serve where they are differentiated."""
    [cell] = cells(2)
    arguments = random(1, 3, 4, 4, 2), tf.nn.softmax(random(2, 6, 3))

    @tf.function(autograph=False)
    def slopes(inputs, mixing):
        with constant_weights():
            cell(inputs, mixing, training=True)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(cell(inputs, mixing, training=True)))
        kernels = [v.value for v in cell.trainable_variables if v.name == "kernel"]
        return tape.gradient(loss, kernels)

    assert all(np.any(slope) for slope in slopes(*arguments))


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
