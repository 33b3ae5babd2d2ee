"""The check of supernets: it passes a right one, and says of each kind of fault what it is."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.toy_search import Toy
from tf_darts.cells.topology import CellTopology
from tf_darts.runtime.memory.traced import TracedMemory
from tf_darts.testing.supernet import check_supernet

NUMBERS = np.linspace(-1.0, 1.0, 4)


class NoLoss(Toy):
    measures = ("error",)


class OtherScore(Toy):
    score = "accuracy"


class NoFloat(Toy):
    def scores(self, means):
        return super().scores(means) | {"digits": 3}


class Upwards(Toy):
    score_mode = "max"


class Sideways(Toy):
    score_mode = "left"


class Unmoved(Toy):
    def scores(self, means):
        return {"error": 1.0}


class OfTopology(Toy):
    """Has another cell than the toy's."""

    def __init__(self, topology):
        super().__init__()
        self.cells = {"cell": topology} if topology else {}


class AnyLoss(Toy):
    """A toy whose loss is another; a subclass says which."""

    def loss(self, weights, mixing, batch, state, seed, **more):
        found = super().loss(weights, mixing, batch, state, seed, **more)
        return found._replace(**self.other(found, weights, mixing, state, seed))


class Assigns(AnyLoss):
    def other(self, found, weights, mixing, state, seed):
        self._statistics[0].assign(found.statistics[0])
        return {}


class Counts(AnyLoss):
    calls = 0

    def other(self, found, weights, mixing, state, seed):
        self.calls += 1
        loss = found.loss + self.calls
        return {"loss": loss, "means": {"loss": loss}}


class Frozen(AnyLoss):
    """Draws in Python, so a compiled function draws once."""

    def other(self, found, weights, mixing, state, seed):
        seed = seed.numpy() if tf.executing_eagerly() else [1, 2]
        loss = found.loss + np.random.default_rng(seed).normal()
        return {"loss": loss, "means": {"loss": loss}}


class NotFinite(AnyLoss):
    def other(self, found, weights, mixing, state, seed):
        return {"loss": found.loss / 0.0}


class OtherMeasures(AnyLoss):
    def other(self, found, weights, mixing, state, seed):
        return {"means": found.means | {"accuracy": found.loss}}


class Penalised(AnyLoss):
    def other(self, found, weights, mixing, state, seed):
        return {"loss": found.loss + 1.0}


class NoStatistics(AnyLoss):
    def other(self, found, weights, mixing, state, seed):
        return {"statistics": []}


class StatisticsOfTheLoss(AnyLoss):
    def other(self, found, weights, mixing, state, seed):
        return {"statistics": [found.loss]}


class StateOfWeights(AnyLoss):
    def other(self, found, weights, mixing, state, seed):
        return {"state": state + weights[0][0]}


class GrowingState(AnyLoss):
    def other(self, found, weights, mixing, state, seed):
        return {"state": tf.concat([state, state], axis=0)}


class ShortState(Toy):
    def initial_state(self, batch_size):
        return super().initial_state(batch_size - 1)


class ReadsTheVariable(Toy):
    def loss(self, weights, mixing, batch, state, seed, **more):
        return super().loss([self._weights[0].value], mixing, batch, state, seed, **more)


class LeavesAnEdgeOut(Toy):
    def loss(self, weights, mixing, batch, state, seed, **more):
        first = tf.pad(mixing["cell"][:1], [[0, 2], [0, 0]])
        return super().loss(weights, {"cell": first}, batch, state, seed, **more)


@tf.custom_gradient
def doubled(value):
    """Its gradient is wrong."""
    return tf.identity(value), lambda upstream: 2.0 * upstream


class WrongByWeights(Toy):
    def loss(self, weights, mixing, batch, state, seed, **more):
        return super().loss([doubled(weights[0])], mixing, batch, state, seed, **more)


class WrongByAlpha(Toy):
    def loss(self, weights, mixing, batch, state, seed, **more):
        mixing = {"cell": doubled(mixing["cell"])}
        return super().loss(weights, mixing, batch, state, seed, **more)


class NotRegularized(Toy):
    regularizes = False


class MeasuresPenalties(Toy):
    def loss(self, weights, mixing, batch, state, seed, **more):
        found = super().loss(weights, mixing, batch, state, seed, **more)
        return found._replace(means={"loss": found.loss})


class AnyEvaluation(Toy):
    """A toy whose sums are others; a subclass says which."""

    def evaluation_sums(self, mixing, batch, state):
        found = super().evaluation_sums(mixing, batch, state)
        return found._replace(**self.other(found))


class EvaluationAssigns(AnyEvaluation):
    def other(self, found):
        self._statistics[0].assign(found.totals["loss"])
        return {}


class Means(AnyEvaluation):
    def other(self, found):
        return {"totals": {"loss": found.totals["loss"] / found.count}}


class CountsNothing(AnyEvaluation):
    def other(self, found):
        return {"count": 0.0 * found.count}


class CountsBatches(AnyEvaluation):
    def other(self, found):
        return {"count": tf.ones_like(found.count)}


class OtherTotals(AnyEvaluation):
    def other(self, found):
        return {"totals": {"error": found.totals["loss"]}}


class RestlessEvaluation(AnyEvaluation):
    def other(self, found):
        return {"totals": {"loss": found.totals["loss"] + tf.random.normal([], dtype="float64")}}


class AnyMemory(Toy):
    def traced_memory(self, batch, *, order=1, replicas=1):
        return TracedMemory(100)


class SomeMemory(Toy):
    def traced_memory(self, batch, *, order=1, replicas=1):
        return TracedMemory(100) if batch.shape[0] < 5 else None


def of(operations=("none", "tanh"), inputs=1, keep=1):
    return lambda: OfTopology(CellTopology(inputs, 2, keep, operations))


def test_a_stranger_s_passes(float64):
    check_supernet(Toy(), NUMBERS, random_masks=True)


def test_differences_need_float64():
    with pytest.raises(AssertionError, match=r"ToySupernet: 'w' is float32; make it inside"):
        check_supernet(Toy(), NUMBERS)
    assert keras.config.floatx() == "float32"


@pytest.mark.parametrize(
    ("batch", "sentence"),
    [
        ((NUMBERS, NUMBERS), "ToySupernet: the batch has 2 tensors, and batch_signature 1"),
        (np.ones((2, 2)), r"a tensor of the batch, \(2, 2\), does not fit TensorSpec"),
        (np.ones(1), "the batch has 1 examples; give two or more"),
    ],
)
def test_batches_that_say_nothing(batch, sentence, float64):
    with pytest.raises(AssertionError, match=sentence):
        check_supernet(Toy(), batch)


def test_masks_that_are_said_to_be_absent(float64):
    with pytest.raises(AssertionError, match=r"at two seeds .* masks are said to be absent"):
        check_supernet(Toy(), NUMBERS, random_masks=False)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (NoLoss, r"measures are \('error',\); they are distinct, and 'loss' is one"),
        (OtherScore, "scores has loss, error, and not the score 'accuracy'"),
        (NoFloat, "the score 'digits' is 3, no float"),
        (Upwards, r"with the loss 'error' moves by \+0.25, so score_mode cannot be 'max'"),
        (Sideways, "score_mode is 'left', not 'min' or 'max'"),
        (Unmoved, "no measure moves the score 'error'"),
        (lambda: OfTopology(None), "OfTopology: cells is empty"),
        (of(operations=("none",)), r"the operations of 'cell' are \('none',\)"),
        (of(operations=("sine",)), "RecurrentGenotype refuses the strongest edges .*'sine'"),
        (Assigns, "Assigns.loss assigns the variable 'mean'"),
        (Counts, "at the same arguments, once more, the loss is: .* in place of"),
        (Frozen, r"at seed \[3, 4\] the compiled loss is: .* in place of"),
        (NotFinite, "the loss is inf, no finite scalar"),
        (OtherMeasures, r"the loss measures \['accuracy', 'loss'\], and measures are \['loss'\]"),
        (Penalised, "without regularisers the loss is: .* in place of"),
        (NoStatistics, r"the loss returns statistics \[\], and there are"),
        (StatisticsOfTheLoss, "the statistics of a loss are not cut off"),
        (StateOfWeights, "the state of a loss are not cut off"),
        (GrowingState, r"the state .*\(4,\).* becomes .*\(8,\)"),
        (ShortState, r"initial_state\(4\) has 3 rows"),
        (ReadsTheVariable, "the loss does not depend on the weight 'w'"),
        (LeavesAnEdgeOut, "the loss does not depend on edge 0→2 of 'cell'"),
        (WrongByWeights, "the gradient by the weight 'w' says .* differences of values say"),
        (WrongByAlpha, "the gradient by α of 'cell' says .* differences of values say"),
        (NotRegularized, "regularizes is False, and the loss .* is .* with regularisers"),
        (MeasuresPenalties, "with regularisers a measure is: .* in place of"),
        (EvaluationAssigns, "EvaluationAssigns.evaluation_sums assigns the variable 'mean'"),
        (Means, "evaluation_sums of two halves add up in 'loss' to: .* in place of"),
        (CountsNothing, "evaluation_sums counts 0.0 predictions"),
        (CountsBatches, "evaluation_sums of two halves count: 2.0 in place of 1.0"),
        (OtherTotals, r"evaluation_sums has \['error'\], measures \['loss'\]"),
        (RestlessEvaluation, "evaluation_sums, once more, has: .* in place of"),
        (AnyMemory, "traced_memory says 100 bytes for 2 examples, and 100 for 8"),
        (SomeMemory, "traced_memory is known for some batches"),
    ],
)
def test_what_is_wrong_is_said(make, sentence, float64):
    with pytest.raises(AssertionError, match=sentence):
        check_supernet(make(), NUMBERS)
