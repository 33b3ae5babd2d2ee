"""Tests of cells that are computed again: the same numbers, running statistics moved once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.comparison import assert_near
from tf_darts.bilevel.loss import PlainLoss
from tf_darts.cells.published import PUBLISHED
from tf_darts.spaces.convolutional.derived.objective import CifarNetwork, ImageClassification
from tf_darts.spaces.convolutional.relaxed.classifier import RelaxedImageClassifier
from tf_darts.spaces.convolutional.relaxed.supernet import ConvolutionalSupernet

SHAPE = (8, 8, 3)


def images(size=SHAPE):
    random = np.random.default_rng(0)
    return tf.constant(random.standard_normal((4, *size))), tf.constant([0, 1, 2, 1])


def supernet_results(rematerialize, second):
    model = RelaxedImageClassifier(3, channels=2, layers=3, nodes=2, seed=4)
    supernet = ConvolutionalSupernet(model, SHAPE, rematerialize)
    edges, operations = supernet.cells["normal"].edges, 8
    random = np.random.default_rng(1)
    mixing = {kind: tf.constant(random.random((edges, operations))) for kind in supernet.cells}
    weights = [tf.convert_to_tensor(weight) for weight in supernet.weights]
    vector = [tf.constant(random.standard_normal(weight.shape)) for weight in weights]

    def loss(weights, mixing):
        result = supernet.loss(weights, mixing, images(), (), tf.constant([0, 0]))
        return result.loss, result.statistics

    def run(weights, mixing):
        if second:
            return PlainLoss(loss).mixed_product(weights, mixing, vector)
        return PlainLoss(loss).gradients(weights, mixing)

    return tf.function(run, autograph=False)(weights, mixing)


@pytest.mark.slow
@pytest.mark.parametrize(
    "second",
    [pytest.param(False, marks=pytest.mark.long), pytest.param(True, marks=pytest.mark.long)],
)
def test_relaxed_cells(float64, second):
    del float64
    assert_near(supernet_results(True, second), supernet_results(False, second), 1e-9)


@pytest.mark.slow
def test_derived_cells(float64):
    del float64
    size, results = (32, 32, 3), []
    for rematerialize in (False, True):
        cell = PUBLISHED["convolutional"]["darts_v2"]
        model = CifarNetwork(cell, classes=3, channels=2, layers=3, seed=4)
        network = ImageClassification(model, size, drop_path=0.5, rematerialize=rematerialize)

        def step(weights, network=network):
            seed, progress = tf.constant([5, 6]), tf.constant(0.5, tf.float64)
            mapping = list(zip(network.weights, weights, strict=True))
            with keras.StatelessScope(state_mapping=mapping):
                with tf.GradientTape() as tape:
                    tape.watch(weights)
                    result = network.loss(images(size), (), seed, progress)
                statistics = [tf.convert_to_tensor(v) for v in network.statistics]
            return result, statistics, tape.gradient(result.loss, weights)

        weights = [tf.convert_to_tensor(weight) for weight in network.weights]
        results.append(tf.function(step, autograph=False)(weights))
    assert_near(*results, 1e-9)
