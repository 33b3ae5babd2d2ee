"""Expected multiply-adds as a term: the hinge, its ascent, and whole searches under it."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.toy_search import Events, Killed, config, search, without_time
from tf_darts.bilevel.epoch_rules import SearchFacts
from tf_darts.bilevel.relaxation import Moment, softmax
from tf_darts.cells.costs import Costs
from tf_darts.cells.topology import CellTopology
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.methods.multiply_adds import ExpectedMultiplyAdds
from tf_darts.testing import check_alpha_term
from tf_darts.testing.toy_search import ToySupernet

TABLE = np.array([[0, 10, 4], [0, 20, 8], [0, 1, 2]])
COSTS = Costs(base=100, tables={"cell": TABLE})
FACTS = SearchFacts({"cell": CellTopology(1, 2, 1, ("none", "a", "b"))}, 4, costs=lambda: COSTS)
ALPHAS = {"cell": tf.constant([[0.1, 0.5, -0.3], [1.0, 0.0, 0.0], [0.2, 0.3, 0.4]], tf.float64)}


def moment(**numbers):
    share = tf.constant(0.5, tf.float64)
    return Moment(tf.zeros([2], tf.int32), share, share, {}, numbers)


def value(term, numbers):
    with tf.GradientTape() as tape:
        tape.watch(ALPHAS)
        found = term.of(FACTS).value(ALPHAS, softmax(ALPHAS), moment(**numbers))
    return float(found), tape.gradient(found, ALPHAS, unconnected_gradients="zero")["cell"].numpy()


def test_above_the_target_it_is_the_share_of_the_excess():
    p = softmax(ALPHAS)["cell"].numpy()
    expected = 100 + (p * TABLE).sum()
    assert COSTS.expected({"cell": p}) == pytest.approx(expected, rel=1e-15)
    term = ExpectedMultiplyAdds(target_multiply_adds=105, multiply_adds_weight=2.0)
    found, gradient = value(term, {})
    assert found == pytest.approx(2.0 * (expected / 105 - 1), rel=1e-12)
    slopes = p * (TABLE - (p * TABLE).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(gradient, 2.0 * slopes / 105, rtol=1e-12)
    raised, steeper = value(term, {"multiply_adds_weight": tf.constant(6.0, tf.float64)})
    assert raised == pytest.approx(3 * found)
    np.testing.assert_allclose(steeper, 3 * gradient, rtol=1e-12)


def test_at_and_below_the_target_nothing_pulls():
    expected = COSTS.expected({"cell": softmax(ALPHAS)["cell"].numpy()})
    for target in (int(expected) + 1, 10**9):
        found, gradient = value(ExpectedMultiplyAdds(target_multiply_adds=target), {})
        assert found == 0.0 and not gradient.any()


def test_differences():
    check_alpha_term(ExpectedMultiplyAdds(target_multiply_adds=15))


def test_the_weight_rises_by_what_was_measured_and_never_falls():
    term = ExpectedMultiplyAdds(
        target_multiply_adds=100, multiply_adds_weight=0.5, multiply_adds_ascent=2.0
    )
    history, weights = [], []
    for expected in (150.0, 120.0, 90.0, 100.0, 101.0):
        weights.append(term.directions(history, FACTS).numbers["multiply_adds_weight"])
        history.append({"monitors": {"multiply_adds/expected": expected}})
    weights.append(term.directions(history, FACTS).numbers["multiply_adds_weight"])
    assert weights == pytest.approx([0.5, 1.5, 1.9, 1.9, 1.9, 1.92], rel=1e-12)


TOY = {
    "alpha_terms": "expected_multiply_adds",
    "epochs": 4,
    "alpha_learning_rate": 0.3,
    "hypergradient": "first_order",
}


def made(**settings):
    composed = config(**TOY).composed({"alpha_terms": "expected_multiply_adds"})
    return type(composed)(**{**vars(composed), "target_multiply_adds": 60, **settings})


@pytest.fixture
def costs(monkeypatch):
    table = np.array([[40, 30, 20, 10, 0]] * 3)
    monkeypatch.setattr(
        ToySupernet, "costs", staticmethod(lambda: Costs(base=10, tables={"cell": table}))
    )


@pytest.mark.slow
def test_a_search_comes_down_to_its_target(eagerly, tmp_path, costs):
    def expected(history):
        return [record["monitors"]["multiply_adds/expected"] for record in history]

    _, _, free = search(tmp_path / "free", made=made(multiply_adds_weight=0.0))
    alpha, weights, history = search(tmp_path / "whole", made=made(multiply_adds_ascent=3.0))
    assert expected(free)[-1] > 90  # it fits its number by what is dear
    assert sorted(expected(history), reverse=True) == expected(history)
    assert expected(history)[-1] < 0.8 * expected(free)[-1]
    killed = tmp_path / "killed"
    with pytest.raises(Killed):  # between epochs that raise the weight
        search(killed, Events(kill_at=9), made=made(multiply_adds_ascent=3.0))
    resumed = search(killed, made=made(multiply_adds_ascent=3.0))
    assert (resumed[0] == alpha).all() and (resumed[1] == weights).all()
    assert without_time(resumed[2]) == without_time(history)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dataset": "cifar10"}, "needs a target; give --target_multiply_adds=N"),
        (
            {"dataset": "ptb", "target_multiply_adds": 10},
            "the space recurrent has no costs of operations.*leave --alpha_terms",
        ),
    ],
)
def test_wrong_input_is_a_sentence(settings, words):
    with pytest.raises(UserError, match=words):
        configure({"mode": "search", "alpha_terms": "expected_multiply_adds", **settings})
