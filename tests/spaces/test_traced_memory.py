"""Tests of the memory that both spaces' doors say they take: in proportion, and against a count."""

import functools

import pytest

from tf_darts.cells.published import PUBLISHED
from tf_darts.runtime.memory.estimate import sized
from tf_darts.spaces.convolutional.derived.objective import CifarNetwork, ImageClassification
from tf_darts.spaces.convolutional.relaxed.classifier import RelaxedImageClassifier
from tf_darts.spaces.convolutional.relaxed.supernet import ConvolutionalSupernet
from tf_darts.spaces.fast_forms import without
from tf_darts.spaces.recurrent import traced_memory
from tf_darts.spaces.recurrent.derived.objective import LanguageModel, NextWordPrediction
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.relaxed.supernet import RecurrentSupernet


def relaxed_images(rematerialize=False):
    model = RelaxedImageClassifier(3, channels=4, layers=3, nodes=2, seed=0)
    return ConvolutionalSupernet(model, (16, 16, 3), rematerialize)


def derived_images(rematerialize=False):
    model = CifarNetwork(PUBLISHED["convolutional"]["darts_v2"], 3, channels=4, layers=6)
    return ImageClassification(model, (32, 32, 3), drop_path=0.2, rematerialize=rematerialize)


def relaxed_text(rematerialize=False):
    return RecurrentSupernet(RelaxedLanguageModel(50, 8), rematerialize=rematerialize)


def derived_text(rematerialize=False):
    model = LanguageModel(PUBLISHED["recurrent"]["darts_v2"], 50, 8)
    return NextWordPrediction(model, rematerialize=rematerialize)


def batch_of(network, examples, longest=36):
    return sized(network.batch_signature, network.batch_axis, examples, longest)


MAKERS = (relaxed_images, derived_images, relaxed_text, derived_text)


@functools.cache
def memory_of(make, rematerialize, examples):
    network = make(rematerialize)
    return network.traced_memory(batch_of(network, examples))


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS)
def test_proportional_to_the_batch(make):
    small, large = (memory_of(make, False, examples) for examples in (8, 32))
    # Copies of weights, of which the auxiliary head has many, do not grow.
    assert 3 < large.retained / small.retained < 4.01
    assert 3 < large.peak / small.peak < 4.01


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS)
def test_less_with_rematerialisation(make):
    plain, again = (memory_of(make, flag, 8) for flag in (False, True))
    assert again.peak < 0.75 * plain.peak


def test_second_derivatives_take_more():
    network = relaxed_text()
    once, twice = (network.traced_memory(batch_of(network, 8), order=order) for order in (1, 2))
    # A tangent beside every value, and pairs of sources.
    assert 1.9 * once.retained < twice.retained < 2.5 * once.retained


@pytest.mark.slow
def test_replicas_take_the_clear_form():
    network = relaxed_text()
    batch = batch_of(network, 8)
    plain, clear, small = (
        network.traced_memory(of, replicas=count)
        for of, count in ((batch, 1), (batch, 2), (batch_of(network, 2), 2))
    )
    # Seven or more tensors of each of the 36 edges, where the fast form keeps two.
    assert 4 < clear.retained / plain.retained < 8
    assert 3.9 < clear.retained / small.retained < 4.01
    twice = network.traced_memory(batch, order=2, replicas=2)
    assert twice.retained > 2.5 * clear.retained


def test_without_fast_forms_as_with_replicas():
    network, trained = relaxed_text(), derived_text()
    batch = batch_of(network, 8)
    fast = trained.traced_memory(batch)
    with without():
        assert network.traced_memory(batch) == network.traced_memory(batch, replicas=2)
        # The loop keeps more tensors of every time step than the fast form writes.
        assert 1.2 < trained.traced_memory(batch).retained / fast.retained < 3


def test_what_a_derived_recurrence_writes():
    # As many tensors as the arrays of its forward loop have, but for the output.
    genotype = PUBLISHED["recurrent"]["darts_v2"]
    record = traced_memory.derived(genotype)
    read = len({predecessor for _, predecessor in genotype.edges})
    assert record.retained == 2 * 9 + 2 * read
    assert record.nodes == 8
