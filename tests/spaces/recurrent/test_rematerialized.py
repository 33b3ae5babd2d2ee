"""Tests of the recurrences in chunks of time steps: the same numbers as in one."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.comparison import assert_near
from tf_darts.bilevel.loss import PlainLoss
from tf_darts.cells.published import PUBLISHED
from tf_darts.spaces.recurrent.derived.objective import LanguageModel, NextWordPrediction
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.relaxed.supernet import RecurrentSupernet

WORDS, UNITS, BATCH = 11, 6, 4
SEED = tf.constant([3, 7])
RATES = {"cell_input_dropout": 0.4, "hidden_dropout": 0.3, "output_dropout": 0.2}


def words(steps):
    random = np.random.default_rng(steps)
    return tuple(
        tf.constant(random.integers(WORDS, size=(steps, BATCH)), tf.int32) for _ in range(2)
    )


def hidden():
    return tf.constant(np.random.default_rng(1).standard_normal((BATCH, UNITS)))


def relaxed(rematerialize, nodes=2):
    model = RelaxedLanguageModel(WORDS, UNITS, nodes=nodes, seed=5, **RATES)
    return RecurrentSupernet(model, temporal_activation_penalty=0.1, rematerialize=rematerialize)


def loss_of(supernet, steps):
    def loss(weights, mixing):
        batch = words(steps)
        result = supernet.loss(weights, mixing, batch, hidden(), SEED, regularized=True)
        return result.loss, (result.state, result.statistics)

    return PlainLoss(loss)


# Fewer steps than chunks, and steps that cannot be cut into equal chunks.
@pytest.mark.slow
@pytest.mark.parametrize("steps", [pytest.param(3, marks=pytest.mark.long), 13])
def test_relaxed_cell(float64, steps):
    del float64
    results = []
    for rematerialize in (False, True):
        supernet = relaxed(rematerialize)
        edges = supernet.cells["cell"].edges
        mixing = {"cell": tf.constant(np.random.default_rng(2).random((edges, 5)))}
        weights = [tf.convert_to_tensor(weight) for weight in supernet.weights]
        function = tf.function(
            lambda weights, mixing, supernet=supernet: loss_of(supernet, steps).gradients(
                weights, mixing
            ),
            autograph=False,
        )
        results.append(function(weights, mixing))
    assert_near(*results, 1e-10)


@pytest.mark.long
def test_relaxed_cells_second_derivative(float64):
    del float64
    results = []
    for rematerialize in (False, True):
        supernet = relaxed(rematerialize)
        mixing = {"cell": tf.constant(np.random.default_rng(2).random((3, 5)))}
        weights = [tf.convert_to_tensor(weight) for weight in supernet.weights]
        vector = [tf.cos(tf.cast(tf.range(tf.size(w)), w.dtype)) for w in weights]
        vector = [tf.reshape(v, w.shape) for v, w in zip(vector, weights, strict=True)]
        function = tf.function(
            lambda weights, mixing, supernet=supernet, vector=vector: loss_of(
                supernet, 7
            ).mixed_product(weights, mixing, vector),
            autograph=False,
        )
        results.append(function(weights, mixing))
    assert_near(*results, 1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [2, pytest.param(13, marks=pytest.mark.long)])
def test_derived_cell(float64, steps):
    del float64
    results = []
    for rematerialize in (False, True):
        model = LanguageModel(PUBLISHED["recurrent"]["darts_v2"], WORDS, UNITS, seed=5)
        network = NextWordPrediction(model, 0.1, 0.2, rematerialize)

        def step(weights, network=network):
            mapping = list(zip(network.weights, weights, strict=True))
            with keras.StatelessScope(state_mapping=mapping), tf.GradientTape() as tape:
                tape.watch(weights)
                result = network.loss(words(steps), hidden(), SEED, tf.constant(0.5))
            gradients = tape.gradient(result.loss, weights)
            return result, [tf.convert_to_tensor(gradient) for gradient in gradients]

        weights = [tf.convert_to_tensor(weight) for weight in network.weights]
        results.append(tf.function(step, autograph=False)(weights))
    assert_near(*results, 1e-10)
