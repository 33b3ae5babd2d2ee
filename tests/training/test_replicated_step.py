"""The training step on two replicas, and in micro-batches, against one with all of a batch."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.cells.published import PUBLISHED
from tf_darts.runtime.replicas import SINGLE_REPLICA, Replicas
from tf_darts.spaces.convolutional.derived.objective import CifarNetwork, ImageClassification
from tf_darts.spaces.convolutional.settings import ConvolutionalTrainingConfig
from tf_darts.spaces.recurrent.derived.objective import LanguageModel, NextWordPrediction
from tf_darts.spaces.recurrent.settings import RecurrentTrainingConfig
from tf_darts.training.step import TrainingStep

STEPS, BATCH = 3, 4


def _recurrent():
    rates = ("embedding", "input", "hidden", "cell_input", "output")
    model = LanguageModel(
        PUBLISHED["recurrent"]["darts_v2"],
        words=12,
        units=6,
        seed=1,
        **{f"{name}_dropout": 0.0 for name in rates},
    )
    random = np.random.default_rng(0)
    batches = [
        tuple(random.integers(12, size=(5, BATCH), dtype=np.int32) for _ in range(2))
        for _ in range(STEPS)
    ]
    network = NextWordPrediction(model, temporal_activation_penalty=0.1, activation_penalty=0.1)
    return network, RecurrentTrainingConfig(genotype="darts_v2", batch_size=BATCH), batches, 1.0


def _convolutional():
    cells = PUBLISHED["convolutional"]["darts_v2"]
    model = CifarNetwork(cells, classes=4, channels=4, layers=3, auxiliary=False, seed=1)
    random = np.random.default_rng(0)
    batches = [
        (
            random.standard_normal((BATCH, 8, 8, 3)).astype(np.float32),
            random.integers(4, size=BATCH, dtype=np.int32),
        )
        for _ in range(STEPS)
    ]
    network = ImageClassification(model, (8, 8, 3))
    config = ConvolutionalTrainingConfig(genotype="darts_v2", batch_size=BATCH)
    return network, config, batches, 0.025


SPACES = {"recurrent": _recurrent, "convolutional": _convolutional}


def _taken(space, replicas):
    network, config, batches, rate = SPACES[space]()
    step = TrainingStep(network, config, averages=False, replicas=replicas)
    for batch in batches:
        assert step(batch, rate, 0.0)["finite"] == 1.0
    names = ("weights", "statistics", "velocities", "state")
    return [value.numpy() for name in names for value in tf.nest.flatten(step.variables[name])]


@functools.cache
def _taken_alone(space):
    return _taken(space, SINGLE_REPLICA)


def _assert_close(found, right):
    assert len(found) == len(right) > 0
    for ours, theirs in zip(found, right, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("space", SPACES)
def test_two_replicas_are_one(mirrored, space):
    _assert_close(_taken(space, Replicas(mirrored, checks=True)), _taken_alone(space))


@pytest.mark.slow
def test_micro_batches_are_the_batch():
    _assert_close(_taken("recurrent", Replicas(micro_batches=2)), _taken_alone("recurrent"))


@pytest.mark.slow
def test_micro_batches_of_batch_norms_are_not():
    parts = _taken("convolutional", Replicas(micro_batches=2))
    whole = _taken_alone("convolutional")
    assert max(np.abs(p - w).max() for p, w in zip(parts, whole, strict=True)) > 1e-3
