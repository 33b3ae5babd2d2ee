"""The entropy as a term of α's objective, against its closed form."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.relaxation import Moment, softmax
from tf_darts.methods.entropy import Entropy

ALPHAS = {
    "normal": tf.constant([[0.3, -1.0, 0.2], [2.0, 0.0, 0.0]], tf.float64),
    "reduce": tf.constant([[0.0, 0.0, 0.0], [5.0, -5.0, -5.0]], tf.float64),
}
MOMENT = Moment(tf.zeros([2], tf.int32), tf.constant(0.5), tf.constant(0.5), {})


def test_value_and_gradient():
    with tf.GradientTape() as tape:
        tape.watch(ALPHAS)
        value = Entropy(entropy_weight=0.7).value(ALPHAS, softmax(ALPHAS), MOMENT)
    gradients = tape.gradient(value, ALPHAS)
    total = 0.0
    for kind, alpha in ALPHAS.items():
        p = softmax(ALPHAS)[kind].numpy()
        rows = -(p * np.log(p)).sum(axis=1, keepdims=True)
        total += rows.sum()
        np.testing.assert_allclose(gradients[kind], -0.7 * p * (np.log(p) + rows) / 4, atol=1e-12)
        assert alpha.shape == p.shape
    assert float(value) == pytest.approx(0.7 * total / 4, rel=1e-12)


def test_it_draws_an_edge_to_its_strongest_operation_and_a_negative_weight_away():
    for weight, grows in ((1.0, True), (-1.0, False)):
        alpha = tf.Variable([[0.2, 0.1, 0.0]], dtype=tf.float64)
        for _ in range(50):
            with tf.GradientTape() as tape:
                mixing = softmax({"cell": alpha})
                value = Entropy(entropy_weight=weight).value({"cell": alpha}, mixing, MOMENT)
            alpha.assign_sub(0.5 * tape.gradient(value, alpha))
        assert (float(softmax({"cell": alpha})["cell"][0, 0]) > 0.6) == grows
