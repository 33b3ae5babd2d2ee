"""The check of objectives: it passes ours, and says of each kind of fault what it is."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.toy_training import Toy
from tf_darts.cells.published import PUBLISHED
from tf_darts.runtime.memory.traced import TracedMemory
from tf_darts.spaces.convolutional.derived.objective import CifarNetwork, ImageClassification
from tf_darts.spaces.recurrent.derived.objective import LanguageModel, NextWordPrediction
from tf_darts.testing.objective import check_objective

NUMBERS = np.linspace(-1.0, 1.0, 4)


class Upwards(Toy):
    score_mode = "max"


class Fractions(Toy):
    def counts(self):
        return {"weights": 1.5}


class Miscounted(Toy):
    def counts(self):
        return {"weights": 2}


class AnyLoss(Toy):
    """A toy whose loss is another; a subclass says which."""

    def loss(self, batch, state, seed, progress):
        found = super().loss(batch, state, seed, progress)
        return found._replace(**self.other(found, state, seed, progress))


class Assigns(AnyLoss):
    """Past Keras, whose scope would hold the value back."""

    def other(self, found, state, seed, progress):
        self.model.mean._value.assign(7.0)
        return {}


class Counts(AnyLoss):
    calls = 0

    def other(self, found, state, seed, progress):
        self.calls += 1
        return {"loss": found.loss + self.calls}


class FrozenSeed(AnyLoss):
    def other(self, found, state, seed, progress):
        seed = seed.numpy() if tf.executing_eagerly() else [1, 2]
        return {"loss": found.loss + np.random.default_rng(seed).normal()}


class FrozenProgress(AnyLoss):
    def other(self, found, state, seed, progress):
        share = float(progress) if tf.executing_eagerly() else 1.0
        return {"loss": found.loss + share}


class NotFinite(AnyLoss):
    def other(self, found, state, seed, progress):
        return {"loss": found.loss / 0.0}


class OtherMeasures(AnyLoss):
    def other(self, found, state, seed, progress):
        return {"means": {}}


class StateOfWeights(AnyLoss):
    def other(self, found, state, seed, progress):
        return {"state": state + found.loss}


class GrowingState(AnyLoss):
    def other(self, found, state, seed, progress):
        return {"state": tf.concat([state, state], axis=0)}


class WrongGradient(AnyLoss):
    def other(self, found, state, seed, progress):
        @tf.custom_gradient
        def doubled(value):
            return tf.identity(value), lambda upstream: 2.0 * upstream

        return {"loss": doubled(found.loss)}


class ReadsPastKeras(AnyLoss):
    def other(self, found, state, seed, progress):
        return {"loss": tf.reduce_sum(tf.convert_to_tensor(self.model.slope._value))}


class EvaluationAssigns(Toy):
    def evaluation_sums(self, batch, state):
        self.model.mean.assign(7.0)
        return super().evaluation_sums(batch, state)


class Means(Toy):
    def evaluation_sums(self, batch, state):
        found = super().evaluation_sums(batch, state)
        return found._replace(totals={"loss": found.totals["loss"] / found.count})


class AnyMemory(Toy):
    def traced_memory(self, batch):
        return TracedMemory(100)


def network(pixels, **settings):
    cell = PUBLISHED["convolutional"]["darts_v2"]
    model = CifarNetwork(cell, 3, channels=2, layers=3, auxiliary=pixels == 32, seed=1)
    return ImageClassification(model, (pixels, pixels, 3), **settings)


def images(pixels):
    return np.random.default_rng(0).standard_normal((3, pixels, pixels, 3)), np.arange(3)


@pytest.mark.slow
def test_ours_of_images_passes(float64):
    objective = network(8, drop_path=0.2, label_smoothing=0.1)
    check_objective(objective, images(8), random_masks=True)


@pytest.mark.slow
def test_ours_with_an_auxiliary_head_passes(float64):
    objective = network(32)
    head = objective.model.auxiliary_head.trainable_variables
    check_objective(objective, images(32), uncounted=head, random_masks=False)


def test_ours_of_texts_passes(float64):
    model = LanguageModel(PUBLISHED["recurrent"]["darts_v2"], 11, 5)
    words = np.random.default_rng(0).integers(0, 11, (4, 3))
    objective = NextWordPrediction(model, 0.1, 0.1)
    check_objective(objective, (words, np.roll(words, 1, axis=0)), random_masks=True)


def test_a_stranger_s_passes(float64):
    check_objective(Toy(), NUMBERS, random_masks=True)


def test_differences_need_float64():
    with pytest.raises(AssertionError, match=r"Toy: '.*slope' is float32; make it inside"):
        check_objective(Toy(), NUMBERS)
    assert keras.config.floatx() == "float32"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (Upwards, r"with the loss 'error' moves by \+0.25, so score_mode cannot be 'max'"),
        (Fractions, "counts has weights=1.5; a count is a whole number above 0"),
        (Miscounted, "counts has weights=2, and there are 1"),
        (Assigns, "Assigns.loss assigns the variable '.*mean'"),
        (Counts, "at the same arguments, once more, the loss is: .* in place of"),
        (FrozenSeed, r"at seed \[3, 4\] the compiled loss is: .* in place of"),
        (FrozenProgress, "at progress 0.0 the loss compiled at another one is: .* in place of"),
        (NotFinite, "the loss is inf, no finite scalar"),
        (OtherMeasures, r"the loss measures \[\], and measures are \['loss'\]"),
        (StateOfWeights, "the state of a loss is not cut off from w"),
        (GrowingState, r"the state .*\(4,\).* becomes .*\(8,\)"),
        (WrongGradient, "the gradient by the weight '.*slope' says .* differences of values say"),
        (ReadsPastKeras, "the loss does not depend on the weight '.*slope'"),
        (EvaluationAssigns, "EvaluationAssigns.evaluation_sums assigns the variable '.*mean'"),
        (Means, "evaluation_sums of two halves add up in 'loss' to: .* in place of"),
        (AnyMemory, "traced_memory says 100 bytes for 2 examples, and 100 for 8"),
    ],
)
def test_what_is_wrong_is_said(make, sentence, float64):
    with pytest.raises(AssertionError, match=sentence):
        check_objective(make(), NUMBERS)


def test_masks_that_are_said_to_be_absent(float64):
    with pytest.raises(AssertionError, match=r"at two seeds .* masks are said to be absent"):
        check_objective(Toy(), NUMBERS, random_masks=False)
