"""Edges of which only the sampled operation counts, in the clear form and by a switch."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.accelerate import sampled_operation  # noqa: F401, registers the switch
from tf_darts.methods.gumbel import GumbelHard, GumbelHardAll
from tf_darts.spaces import fast_forms
from tf_darts.spaces.nasbench201.cells import RelaxedEdge
from tf_darts.spaces.sampled import is_one_hot, one_hot_mixing
from tf_darts.testing.derivatives import random

NAMES = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")


def made():
    edge, inputs = RelaxedEdge(2, NAMES, seed=1), random(1, 3, 4, 4, 2)
    edge.build(inputs.shape)
    return edge, inputs


@pytest.fixture(params=["clear", "switch"])
def form(request):
    """Both forms, compiled: eagerly a switch runs one branch anyway."""
    leave_out = RelaxedEdge if request.param == "clear" else int
    with fast_forms.without(leave_out), one_hot_mixing(True):
        yield


def sampled(number):
    return tf.one_hot(number, len(NAMES), dtype=tf.float64)


def call(edge, inputs, mixing):
    @tf.function(autograph=False)
    def run(inputs, mixing):
        with tf.GradientTape() as tape:
            tape.watch([inputs, mixing])
            outputs = edge(inputs, mixing, training=True)
            loss = tf.reduce_sum(outputs * slopes)
        sources = [inputs, mixing, *(v.value for v in edge.trainable_variables)]
        zero = tf.UnconnectedGradients.ZERO
        return outputs, tape.gradient(loss, sources, unconnected_gradients=zero)

    slopes = random(5, *inputs.shape)
    return *run(inputs, mixing), slopes


def test_the_edge_is_the_operation(float64, form):
    edge, inputs = made()
    for number, operation in enumerate(edge.operations):
        outputs, *_ = call(edge, inputs, sampled(number))
        np.testing.assert_allclose(outputs, operation(inputs, training=True), atol=1e-12)


def test_the_other_weights_have_the_gradient_of_ones(float64, form):
    edge, inputs = made()
    outputs, (_, of_mixing, *of_weights), slopes = call(edge, inputs, sampled(3))
    expected = np.full(4, np.sum(slopes))
    expected[3] = np.sum(slopes * outputs)
    np.testing.assert_allclose(of_mixing, expected, rtol=1e-10)
    touched = {
        v.path.split("/")[-2]
        for v, slope in zip(edge.trainable_variables, of_weights, strict=True)
        if np.any(abs(slope.numpy()) > 1e-10)
    }
    assert touched == {"nor_conv_3x3"}


def test_gumbel_hard_all_has_the_gradient_of_every_operation(float64):
    """The same output as where one is computed; α's gradient is by what each operation gives."""
    edge, inputs = made()
    with one_hot_mixing(GumbelHard.one_hot):
        alone, (_, of_ones, *_), slopes = call(edge, inputs, sampled(3))
    with one_hot_mixing(GumbelHardAll.one_hot):
        outputs, (_, of_mixing, *_), _ = call(edge, inputs, sampled(3))
    np.testing.assert_allclose(outputs, alone, atol=1e-12)
    expected = [np.sum(slopes * operation(inputs, training=True)) for operation in edge.operations]
    np.testing.assert_allclose(of_mixing, expected, rtol=1e-10)
    assert abs(of_mixing[1] - of_ones[1]) > 0.1


def test_only_the_sampled_batch_norm_moves(float64, form):
    edge, inputs = made()
    before = [np.array(v) for v in edge.non_trainable_variables]
    call(edge, inputs, sampled(3))
    for variable, old in zip(edge.non_trainable_variables, before, strict=True):
        moved = not np.allclose(variable, old, rtol=1e-14)
        assert moved == ("nor_conv_3x3" in variable.path), variable.path


def test_an_edge_without_operations_is_zero(float64, form):
    edge, inputs = made()
    outputs, *_ = call(edge, inputs, tf.zeros(4, tf.float64))
    assert not np.any(outputs)


def test_it_ends():
    with one_hot_mixing(True):
        assert is_one_hot()
    assert not is_one_hot()
