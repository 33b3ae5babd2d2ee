"""Second order with every relaxation: the estimates against the unrolled step differentiated whole.

The loss is quadratic in w, so central differences have no error but rounding, and both estimates
must give what differentiating through the unrolled step itself gives.
"""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.compiled_loss import SupernetLosses
from tf_darts.bilevel.epoch_rules import SearchFacts
from tf_darts.bilevel.relaxation import Moment
from tf_darts.config import methods
from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.testing.toy_search import ToySupernet

RATE = 0.1
SEED = tf.constant([3, 4])


@pytest.mark.parametrize("name", methods.parts("relaxation"))
def test_estimates_are_the_gradient_through_the_unrolled_step(float64, eagerly, name):
    supernet = ToySupernet()
    facts = SearchFacts(supernet.cells, 4)
    relaxation = methods.parts("relaxation")[name]().of(facts)
    alphas = {
        kind: tf.constant(np.random.default_rng(5).standard_normal(variable.shape))
        for kind, variable in relaxation.variables(supernet.cells, 1.0, 0).items()
    }
    half = tf.constant(0.5, tf.float64)
    moment = Moment(tf.constant([1, 2]), half, half, {})
    weights = [tf.convert_to_tensor(supernet.weights[0])]
    batches = [tf.constant(x, tf.float64) for x in ([1.0, 0.5, 2.0], [0.3, 1.5, 1.0])]
    state, rate = supernet.initial_state(3), tf.constant(RATE, tf.float64)

    def loss(batch, weights, alphas):
        mixing = relaxation.mixing(alphas, moment)
        return supernet.loss(weights, mixing, batch, state, SEED).loss

    with tf.GradientTape() as outer:
        outer.watch(alphas)
        with tf.GradientTape() as inner:
            inner.watch(weights)
            value = loss(batches[0], weights, alphas)
        slopes = inner.gradient(value, weights)
        moved = [w - rate * slope for w, slope in zip(weights, slopes, strict=True)]
        total = loss(batches[1], moved, alphas)
    expected = outer.gradient(total, alphas, unconnected_gradients="zero")
    # Of its own by α at w' alone: what first order would take.
    with tf.GradientTape() as tape:
        tape.watch(alphas)
        total = loss(batches[1], moved, alphas)
    direct = tape.gradient(total, alphas, unconnected_gradients="zero")

    losses = SupernetLosses(supernet, relaxation=relaxation)
    train, validation = (losses.for_batch(batch, state, SEED, moment) for batch in batches)
    for kind in ("exact", "finite_difference"):
        settings = {"finite_difference": {"radius": 0.01}}.get(kind, {})
        found = HYPERGRADIENTS[kind].estimate(
            train,
            validation,
            weights,
            alphas,
            lambda g: ([w - rate * x for w, x in zip(weights, g, strict=True)], rate),
            **settings,
        )
        for part, wanted in expected.items():
            np.testing.assert_allclose(found.gradient[part], wanted, rtol=1e-9, atol=1e-11)
            np.testing.assert_allclose(
                -rate * found.implicit[part], wanted - direct[part], rtol=1e-8, atol=1e-11
            )
    size = max(np.abs(wanted - direct[part]).max() for part, wanted in expected.items())
    assert (size > 1e-4) == (name != "uniform"), "there is an implicit part, or no gradient at all"
