"""A softmax with a temperature that falls."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.relaxation import Moment, entropy, softmax
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells.space import find_space
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.methods.temperature import Temperature

ALPHAS = {"cell": tf.constant([[1.0, 1.5, 0.5], [0.1, -1.0, 0.3]], tf.float64)}


def moment(ramp):
    share = tf.constant(ramp, tf.float64)
    return Moment(tf.zeros([2], tf.int32), share, share, {})


def mixing(ramp, **settings):
    return Temperature(**settings).mixing(ALPHAS, moment(ramp))


def test_temperature_one_is_the_softmax_to_the_bit():
    ours = mixing(0.7, first_temperature=1.0, last_temperature=1.0)["cell"].numpy()
    assert (ours == softmax(ALPHAS)["cell"].numpy()).all()


@pytest.mark.parametrize(("ramp", "expected"), [(0.0, 4.0), (0.5, 1.0), (1.0, 0.25)])
def test_it_falls_geometrically_from_the_first_to_the_last_epoch(ramp, expected):
    ours = mixing(ramp, first_temperature=4.0, last_temperature=0.25)["cell"]
    theirs = tf.nn.softmax(ALPHAS["cell"] / tf.constant(expected, tf.float64))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_a_low_one_is_nearly_a_choice():
    cold = mixing(1.0, last_temperature=0.05)
    np.testing.assert_allclose(cold["cell"].numpy().max(axis=1), 1.0, atol=0.02)
    assert float(entropy(cold)) < 0.06 < float(entropy(mixing(0.0)))


def test_the_cell_is_the_softmax_s_at_every_temperature():
    """Which edges are the strongest depends on τ, and float32 ties all of them at a low one."""
    random = np.random.default_rng(0)
    topology = find_space("convolutional").topologies["normal"]
    relaxation, others = Temperature(), 0
    for _ in range(20):
        logits = random.normal(size=(topology.edges, topology.columns)).astype(np.float32)
        alphas = {"normal": tf.constant(4.0 * logits)}
        cells = []
        last = Moment(tf.zeros([2], tf.int32), tf.constant(1.0), tf.constant(1.0), {})
        for mixing in (
            softmax(alphas),
            relaxation.ranking(alphas, last),
            relaxation.reading(alphas, last),
        ):
            tables = {"normal": mixing["normal"].numpy()}
            cells.append(derive(tables, {"normal": topology}))
        assert cells[1] == cells[0]
        others += cells[2] != cells[0]
    assert others > 5


def test_what_cannot_be_is_refused():
    asked = {"mode": "search", "dataset": "ptb", "relaxation": "temperature"}
    with pytest.raises(UserError, match=r"--last_temperature=2 is above --first_temperature=1;"):
        configure(asked | {"last_temperature": 2.0})
    with pytest.raises(UserError, match=r"--last_temperature=0.001: out of range.* 0.05"):
        configure(asked | {"last_temperature": 0.001})
    with pytest.raises(UserError, match=r"no meaning.*it is for --relaxation=temperature"):
        configure({"mode": "search", "dataset": "ptb", "last_temperature": 0.5})
    assert configure(asked | {"last_temperature": 1.0}).label == "annealed_darts"
