"""The whole search step on two replicas against one, with the same batches."""

import dataclasses
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.simultaneous import SimultaneousStep
from tf_darts.bilevel.step import BilevelStep
from tf_darts.cells import topologies
from tf_darts.runtime.replicas import SINGLE_REPLICA, Replicas
from tf_darts.spaces.convolutional.relaxed.classifier import RelaxedImageClassifier
from tf_darts.spaces.convolutional.relaxed.supernet import ConvolutionalSupernet
from tf_darts.spaces.convolutional.settings import ConvolutionalSearchConfig
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.relaxed.supernet import RecurrentSupernet
from tf_darts.spaces.recurrent.settings import RecurrentSearchConfig

# One for each of the steps.
KINDS = "first_order", "finite_difference"
BATCH = 4
# ε of the finite difference is made large: with a small one float32's rounding is 1e-5 of α.
COMMON = {"batch_size": BATCH, "finite_difference_radius": 0.1}


def _recurrent(dropout):
    rates = ("input_dropout", "cell_input_dropout", "hidden_dropout", "output_dropout")
    model = RelaxedLanguageModel(words=12, units=6, nodes=2, **dict.fromkeys(rates, dropout))
    supernet, random = (
        RecurrentSupernet(model, temporal_activation_penalty=0.1),
        np.random.default_rng(0),
    )
    for weight in supernet.weights:
        weight.assign(0.4 * random.standard_normal(weight.shape))
    config = RecurrentSearchConfig(**COMMON)

    def batch():
        return tuple(random.integers(12, size=(4, BATCH), dtype=np.int32) for _ in range(2))

    return supernet, config, [(batch(), batch()) for _ in range(2)], 2.0


# Without the larger filters, whose graphs take long to compile.
FEW = ("none", "max_pool_3x3", "skip_connect", "sep_conv_3x3", "dil_conv_3x3")


def _convolutional(dropout):
    del dropout  # there is none
    with mock.patch.object(topologies, "primitives_of", lambda _: FEW):
        model = RelaxedImageClassifier(classes=4, channels=2, layers=3, nodes=1, seed=1)
    supernet, random = ConvolutionalSupernet(model, (8, 8, 3)), np.random.default_rng(0)
    config = ConvolutionalSearchConfig(momentum=0.9, clip_norm=5.0, **COMMON)

    def batch():
        images = random.standard_normal((BATCH, 8, 8, 3)).astype(np.float32)
        return images, random.integers(4, size=BATCH, dtype=np.int32)

    return supernet, config, [(batch(), batch()) for _ in range(2)], 0.025


SPACES = {"recurrent": _recurrent, "convolutional": _convolutional}


def taken(space, replicas, kind_of_step=BilevelStep, dropout=0.0, kinds=KINDS):
    """What the variables are after all steps, by name."""
    supernet, config, batches, rate = SPACES[space](dropout)
    step = kind_of_step(supernet, config, replicas=replicas)
    random = np.random.default_rng(1)
    for alpha in step.alphas.values():
        alpha.assign(0.5 * random.standard_normal(alpha.shape))
    for kind, (train, validation) in zip(kinds, batches, strict=True):
        # In one step object, so that no gradient is compiled twice.
        step.config = dataclasses.replace(config, hypergradient=kind)
        assert step(train, validation, rate)["finite"] == 1.0
    names = ("weights", "statistics", "alphas", "states")
    return {
        name: [value.numpy() for value in tf.nest.flatten(step.variables[name])] for name in names
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("space", "kind_of_step", "kinds"),
    [
        ("recurrent", BilevelStep, KINDS),
        # Second derivatives take long to compile, those of images even longer; the sums over
        # replicas in them are the same.
        pytest.param("recurrent", BilevelStep, ("first_order", "exact"), marks=pytest.mark.long),
        pytest.param("convolutional", BilevelStep, KINDS, marks=pytest.mark.long),
        ("recurrent", SimultaneousStep, KINDS),
    ],
)
def test_two_replicas_are_one(mirrored, space, kind_of_step, kinds):
    tf.config.run_functions_eagerly(True)  # what one replica computes is in other tests
    one = taken(space, SINGLE_REPLICA, kind_of_step, kinds=kinds)
    tf.config.run_functions_eagerly(False)
    two = taken(space, Replicas(mirrored, checks=True), kind_of_step, kinds=kinds)
    for name, values in one.items():
        for ours, theirs in zip(two[name], values, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.long
def test_replicas_have_masks_of_their_own_and_agree(mirrored):
    # `checks` compares w, α and all gradients bit by bit at every evaluation.
    one = taken("recurrent", SINGLE_REPLICA, dropout=0.5)
    two = taken("recurrent", Replicas(mirrored, checks=True), dropout=0.5)
    assert np.abs(one["weights"][0] - two["weights"][0]).max() > 1e-3
