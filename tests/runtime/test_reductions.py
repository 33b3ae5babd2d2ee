"""How often replicas wait for one another, and whose moments their norms take."""

from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from tests.bilevel import test_replicated_step as searches
from tests.training import test_replicated_step as trainings
from tf_darts.bilevel.step import BilevelStep
from tf_darts.runtime import collectives
from tf_darts.runtime.replicas import Replicas
from tf_darts.runtime.replicated import Replicated
from tf_darts.training.step import TrainingStep


def _reductions(share):
    """How many operations over replicas there are in what one of them runs."""
    graph = share.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    return sum(node.op.startswith("Collective") for node in nodes)


def _assert_ordered(share):
    """Of any two operations over replicas in a traced step, one waits for the other.

    In each of its functions a path of data or of control leads from one to the next. A call or a
    loop with such operations inside stands for them.

    Returns:
      How many pairs there are.
    """
    graph = share.get_concrete_function().graph.as_graph_def()
    functions = {f.signature.name: f for f in graph.library.function}

    def called(node):
        return [a.func.name for a in node.attr.values() if a.func.name in functions]

    def reduces(node):
        inside = (any(map(reduces, functions[name].node_def)) for name in called(node))
        return node.op.startswith("Collective") or any(inside)

    pairs = 0
    for nodes in (graph.node, *(f.node_def for f in functions.values())):
        inputs = {n.name: [i.lstrip("^").split(":")[0] for i in n.input] for n in nodes}
        waiting = [n.name for n in nodes if reduces(n)]
        before = {name: _reached(name, inputs) for name in waiting}
        for i, one in enumerate(waiting):
            for other in waiting[:i]:
                assert one in before[other] or other in before[one], (one, other)
                pairs += 1
    return pairs


def _reached(start, inputs):
    """All nodes that one depends on."""
    reached, left = set(), [start]
    while left:
        for name in inputs.get(left.pop(), []):
            if name not in reached:
                reached.add(name)
                left.append(name)
    return reached


def test_sums_of_one_step_have_an_order(mirrored):
    """Also where no data lead from one to the other, and where one of them is in a loop."""

    def independent(unused, x, state, seed):
        del unused, seed
        turns = tf.while_loop(
            lambda i, _: i < 3,
            lambda i, y: (i + 1, collectives.all_sum(y) + tf.cast(variable.read_value(), y.dtype)),
            (0, x),
        )[1]
        return (collectives.all_sum(x), collectives.all_sum(tf.sin(x)), turns), state

    variable = tf.Variable(0.0, trainable=False)
    spec, seed = tf.TensorSpec([None], "float64"), tf.TensorSpec([2], "int32")
    compiled = Replicas(mirrored).compiled(independent, (tf.TensorSpec([]), spec, spec, seed))
    assert _assert_ordered(compiled.share) == 6  # three, and the one for all results
    x = tf.constant([1.0, 2.0], "float64")
    (once, _, turns), _ = compiled(tf.constant(0.0), x, x, tf.constant([0, 0]))
    np.testing.assert_allclose(once, [3.0])
    np.testing.assert_allclose(turns, [12.0])


@pytest.fixture
def norms():
    """The calls of `all_moments`, by each of which a norm is counted."""
    with mock.patch.object(collectives, "all_moments", wraps=collectives.all_moments) as counted:
        yield counted


@pytest.mark.slow
@pytest.mark.parametrize("joint", [True, False], ids=["joint", "own"])
def test_a_training_step_reduces_once(mirrored, norms, joint):
    network, config, _, _ = trainings.SPACES["convolutional"]()
    replicas = Replicas(mirrored, joint_norms=joint)
    step = TrainingStep(network, config, averages=False, replicas=replicas)
    found = _reductions(step._gradients.share)
    _assert_ordered(step._gradients.share)
    if joint:
        assert norms.call_count > 10
        assert found == 1 + 2 * norms.call_count, "one sum and its gradient for each norm"
    else:
        assert found == 1, "60 are the most that are wanted of any network"


def test_a_training_step_on_texts_reduces_once(mirrored):
    network, config, _, _ = trainings.SPACES["recurrent"]()
    step = TrainingStep(network, config, averages=False, replicas=Replicas(mirrored))
    assert _reductions(step._gradients.share) == 1


class _AskedFor(Exception):
    """Ends a step at the first derivative that it asks for."""


@pytest.mark.slow
def test_a_gradient_of_a_search_reduces_once_and_twice_for_each_norm(mirrored, norms):
    supernet, config, batches, rate = searches.SPACES["convolutional"](0.0)
    step = BilevelStep(supernet, config, replicas=Replicas(mirrored))

    def ask(replicated, *arguments):
        raise _AskedFor(replicated.share)

    with mock.patch.object(Replicated, "__call__", ask), pytest.raises(_AskedFor) as asked:
        step(*batches[0], rate)
    found = _reductions(asked.value.args[0])
    assert _assert_ordered(asked.value.args[0]) > 100
    assert norms.call_count > 20
    assert found == 1 + 2 * norms.call_count


@pytest.mark.slow
def test_own_norms_are_those_of_micro_batches(mirrored):
    """One replica that takes the same parts one after another has the same numbers."""
    replicas = Replicas(mirrored, checks=True, joint_norms=False), Replicas(micro_batches=2)
    own, parts = (trainings._taken("convolutional", each) for each in replicas)
    trainings._assert_close(own, parts)


@pytest.mark.long
def test_own_norms_of_a_search_are_those_of_micro_batches(mirrored):
    replicas = Replicas(mirrored, checks=True, joint_norms=False), Replicas(micro_batches=2)
    with mock.patch.dict(searches.KINDS, recurrent=("first_order",) * 3):
        own, parts = (searches._taken("recurrent", each) for each in replicas)
    for name, values in parts.items():
        for ours, theirs in zip(own[name], values, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5, err_msg=name)


def test_moments_and_their_derivatives_are_those_of_the_whole(mirrored):
    """Far from zero, where a difference of two squares would be wrong in float64 too."""
    x = tf.constant(1e6 + np.random.default_rng(0).standard_normal((8, 3)))

    def differentiated(unused, x, state, seed):
        del unused, seed
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                mean, variance = collectives.all_moments(x, [0])
                loss = tf.reduce_sum(tf.sin((x - mean) * tf.math.rsqrt(variance)) ** 2)
            slope = inner.gradient(loss, x)
            product = tf.reduce_sum(slope * tf.sin(state))
        return (mean, variance, loss), (slope, outer.gradient(product, x))

    state = tf.constant(np.random.default_rng(1).standard_normal((8, 3)))
    part, seed = tf.TensorSpec([None, 3], "float64"), tf.TensorSpec([2], "int32")
    signature = tf.TensorSpec([], "float64"), part, part, seed
    arguments = tf.constant(0.0, "float64"), x, state, tf.constant([0, 0])
    compiled = Replicas(mirrored).compiled(differentiated, signature)
    (mean, variance, loss), (slope, product) = compiled(*arguments)
    (right_mean, right_variance, right_loss), (right_slope, right_product) = differentiated(
        *arguments
    )
    np.testing.assert_allclose(mean, right_mean, rtol=1e-15)
    np.testing.assert_allclose(variance, right_variance, rtol=1e-8)
    np.testing.assert_allclose(2 * loss, right_loss, rtol=1e-8)
    np.testing.assert_allclose(slope, right_slope, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(product, right_product, rtol=1e-7, atol=1e-8)
