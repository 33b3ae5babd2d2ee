"""Compiled derivatives on a supernet of one weight: equal to those taken on the spot, made once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_darts.search import hypergradient
from tf_darts.search.compiled import CompiledDerivatives, SupernetLoss
from tf_darts.search.relaxation import softmax
from tf_darts.spaces.supernet import LossResult, Supernet

SEED = tf.constant([0, 0])


class Line(Supernet):
    """(p_0·w - batch)² + 0.1·w² where regularised; counts how often it is traced."""

    regularizes = True

    def __init__(self):
        self.traced = 0
        self._weights = [keras.Variable([0.7])]

    weights = property(lambda self: self._weights)
    statistics = property(lambda self: [])
    batch_signature = property(lambda self: tf.TensorSpec([], tf.float32))
    initial_state = evaluate = scores = None

    def loss(self, weights, mixing, batch, state, seed, *, regularized=False):
        self.traced += 1
        w = weights[0][0]
        loss = (mixing["cell"][0, 0] * w - batch) ** 2 + (0.1 * w**2 if regularized else 0.0)
        return LossResult(loss, {"loss": loss}, state, [])


@pytest.fixture(params=[False, True], ids=["apart", "joint"])
def problem(request):
    supernet = Line()
    loss = SupernetLoss(supernet, softmax)
    seed = tf.TensorSpec([2], tf.int32)
    signature = (
        [tf.TensorSpec([1])],
        {"cell": tf.TensorSpec([1, 2])},
        supernet.batch_signature,
        (),
        seed,
        seed,
    )
    point = [tf.constant([0.7])], {"cell": tf.constant([[0.3, -0.2]])}
    return supernet, loss, CompiledDerivatives(signature, request.param), point


@pytest.mark.parametrize("regularized", [False, True])
def test_the_same_as_on_the_spot(problem, regularized):
    _, loss, compiled, point = problem
    here = loss.on(tf.constant(2.0), (), SEED, SEED, regularized=regularized)
    ours = compiled.gradients(here, *point)
    theirs = hypergradient.value_and_gradients(here, *point)
    for mine, right in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-6)
    vector = [tf.constant([1.5])]
    np.testing.assert_allclose(
        compiled.mixed_product(here, *point, vector)[0],
        hypergradient.mixed_product(here, *point, vector)[0],
        rtol=1e-6,
    )


def test_each_kind_is_traced_once(problem):
    supernet, loss, compiled, point = problem
    for batch in (1.0, 2.0, 3.0):
        here = loss.on(tf.constant(batch), (), SEED, SEED)
        compiled.gradients(here, *point)
        compiled.gradients(here, *point, of_weights=False)
    assert supernet.traced == 2


def test_what_is_not_wanted_is_not_there(problem):
    _, loss, compiled, point = problem
    here = loss.on(tf.constant(1.0), (), SEED, SEED)
    assert compiled.gradients(here, *point, of_weights=False)[2] == []
