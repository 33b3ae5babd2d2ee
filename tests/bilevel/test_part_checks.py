"""What parts of one's own say wrong is told in one sentence, before a search goes by it."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.alpha_terms import AlphaTerm
from tf_darts.bilevel.derivation import Derivation
from tf_darts.bilevel.epoch_rules import Directions, EpochRule, Return, SearchFacts, Stop
from tf_darts.bilevel.part_checks import (
    asking,
    check_edges,
    check_gradient,
    check_value,
    checked_directions,
    checked_kept,
    checked_measures,
)
from tf_darts.cells.topologies import TOPOLOGIES
from tf_darts.config import methods
from tf_darts.errors import UserError

CELLS = TOPOLOGIES["recurrent"]
FACTS = SearchFacts(CELLS, 9)
TABLE = np.ones([CELLS["cell"].edges, CELLS["cell"].columns])
HISTORY = [{"epoch": n} for n in (1, 2, 3)]


def made(door, **members):
    cls = type("Mine", (door,), members)
    cls.name = "mine"
    return cls()


def saying(answer, **members):
    return made(EpochRule, directions=lambda self, history, facts: answer, **members)


@pytest.mark.parametrize(
    "right",
    [
        Directions(),
        Directions(allowed={"cell": TABLE}, numbers={"x": np.float32(1)}, weight_decay=0),
        Directions(weight_learning_rate=0.0, numbers={"x": np.array(1.0), "y": tf.constant(2.0)}),
        Directions(weight_learning_rate=0.1, stop=Stop(3, "it is enough")),
    ],
)
def test_right_directions_pass(right):
    assert checked_directions(saying(right), HISTORY, FACTS) is right


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (None, r"--rules=mine: its directions after 3 epochs are a NoneType; it must give"),
        ({"stop": None}, "are a dict; it must give `Directions"),
        (
            Directions(weight_learning_rate=-1.0),
            "weight_learning_rate=-1.0; it must be a number, 0",
        ),
        (Directions(weight_learning_rate="0.1"), "weight_learning_rate='0.1'; it must be a num"),
        (Directions(numbers=[1.0]), "have numbers of a list; give a dict"),
        (Directions(allowed=TABLE), "have allowed of a ndarray; give a dict"),
        (Directions(weight_decay=float("nan")), "weight_decay=nan; it must be a number, 0 or"),
        (Directions(numbers={"x": "y"}), r"numbers\['x'\]='y'; it must be a number"),
        (Directions(allowed={"normal": TABLE}), "allow operations of 'normal'; the cells are 'ce"),
        (
            Directions(allowed={"cell": TABLE[0]}),
            r"of \[5\]; it must be \[36, 5\], of 0 and 1",
        ),
        (Directions(allowed={"cell": 0.5 * TABLE}), "of 0 and 1"),
        (Directions(stop=Stop(0, "")), r"stop with Stop\(epoch=0.*that names one of the epochs"),
        (Directions(stop=Stop(4, "")), "stop with"),
        (Directions(stop=2), "stop with 2; it must be a `Stop`"),
        (Directions(back=Return(4, {}, "")), "go back with Return"),
    ],
)
def test_wrong_directions_are_said(wrong, sentence):
    with pytest.raises(UserError, match=sentence):
        checked_directions(saying(wrong), HISTORY, FACTS)


def test_a_return_goes_to_an_epoch_that_is_kept_and_adds_numbers():
    back = Return(2, {"a/b": np.float32(2)}, "worse")
    keeping = saying(Directions(back=back), kept=lambda self, epoch: np.arange(epoch))
    said = checked_directions(keeping, HISTORY, FACTS)
    # As JSON takes it: it is written into the record.
    assert json.dumps(said.back.measured) == '{"a/b": 2.0}' and said.back.epoch == 2
    with pytest.raises(UserError, match=r"to epoch 2, and its kept\(3\) names none; it must name"):
        checked_directions(saying(Directions(back=back)), HISTORY, FACTS)
    for measured in ({"a/b": "2"}, None):
        wrong = saying(
            Directions(back=back._replace(measured=measured)), kept=keeping.__class__.kept
        )
        with pytest.raises(UserError, match=r"3 epochs go back and add .*a .*numbers?"):
            checked_directions(wrong, HISTORY, FACTS)


def test_what_is_kept_are_epochs():
    for wrong in (None, 3, ["a"]):
        with pytest.raises(
            UserError, match=r"--rules=mine: its kept gives .* the numbers of epochs"
        ):
            checked_kept(made(EpochRule, kept=lambda self, epoch, wrong=wrong: wrong), 3)

    def fails(self, epoch):
        raise KeyError("x")

    with pytest.raises(UserError, match=r"--rules=mine: its kept fails \(KeyError"):
        checked_kept(made(EpochRule, kept=fails), 3)


def test_one_epoch_is_one_epoch():
    with pytest.raises(UserError, match="its directions after 1 epoch are a NoneType"):
        checked_directions(saying(None), HISTORY[:1], FACTS)


def test_what_fails_in_a_part_of_ours_stays_a_fault_of_ours():
    with (
        pytest.raises(
            UserError,
            match=r"--rules=mine: its measure fails \(KeyError: 'x', test_part_ch.*py, line \d+\)",
        ),
        asking(saying(None), "measure"),
    ):
        raise KeyError("x")
    ours = methods.parts("rules")["warm_up"]()
    with pytest.raises(KeyError), asking(ours, "measure"):
        raise KeyError("x")
    with pytest.raises(MemoryError), asking(saying(None), "measure"):
        raise MemoryError


@pytest.mark.parametrize("measured", [None, "text", {"a/b": np.ones(2)}, {"a/b": "1"}])
def test_what_is_measured_are_numbers(measured):
    with pytest.raises(UserError, match="--rules=mine: its measure gives"):
        checked_measures(made(EpochRule, measure=lambda self, probe: measured), None)
    for two in (2, np.float32(2), np.array(2), tf.constant(2.0)):
        rule = made(EpochRule, measure=lambda self, probe, two=two: {"a/b": two})
        assert checked_measures(rule, None) == {"a/b": 2.0}


def test_edges_are_pairs_by_node():
    nodes = [[("tanh", 0)] for _ in range(CELLS["cell"].nodes)]
    check_edges(made(Derivation), {"cell": nodes}, CELLS)
    for wrong in (
        None,
        {},
        {"cell": nodes[:-1]},
        {"cell": [edge for [edge] in nodes]},
        {"cell": [[("tanh", 7)], *nodes[1:]]},
        {"cell": [[("magic", 0)], *nodes[1:]]},
    ):
        with pytest.raises(UserError, match="--derivation=mine: its edges of 'cell' are"):
            check_edges(made(Derivation), wrong, CELLS)


def test_terms_are_scalars_with_gradients_like_alpha():
    term, alphas = made(AlphaTerm), {"cell": tf.ones(TABLE.shape)}
    check_value(term, tf.constant(1.0))
    check_gradient(term, alphas, alphas)
    check_gradient(term, {}, alphas)
    for wrong in (None, tf.ones([2])):
        with pytest.raises(UserError, match="--alpha_terms=mine: its value gives"):
            check_value(term, wrong)
    for wrong in (None, {"cell": tf.ones([5])}, {"normal": tf.ones([5])}):
        with pytest.raises(UserError, match="--alpha_terms=mine: its gradient gives"):
            check_gradient(term, wrong, alphas)
