"""The checks of rules and derivations find what is wrong with one."""

import numpy as np
import pytest

from tf_darts.bilevel.derivation import Derivation
from tf_darts.bilevel.epoch_rules import Directions, EpochRule, Stop
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.testing import check_derivation, check_rule


class StopsEarly(EpochRule):
    def directions(self, history, facts):
        falls = len(history) > 2 and history[-1]["validation_loss"] < 1.0
        return Directions(stop=Stop(len(history) - 1, "it falls") if falls else None)


class StopsInTheFuture(EpochRule):
    def directions(self, history, facts):
        return Directions(stop=Stop(len(history) + 1, "soon"))


class Counts(EpochRule):
    asked = 0

    def directions(self, history, facts):
        type(self).asked += 1
        return Directions(freeze_alphas=self.asked % 2 == 0)


class Spoils(EpochRule):
    def directions(self, history, facts):
        if history:
            history[-1]["entropy"] = 0.0
        return Directions()


class AllowsHalf(EpochRule):
    def directions(self, history, facts):
        halves = {k: np.full([t.edges, t.columns], 0.5) for k, t in facts.cells.items()}
        return Directions(allowed=halves)


class AllowsLater(EpochRule):
    def directions(self, history, facts):
        tables = {k: np.ones([t.edges, t.columns]) for k, t in facts.cells.items()}
        return Directions(allowed=tables if len(history) > 2 else None)


class MeasuresText(EpochRule):
    def measure(self, probe):
        return {"text/cell": "much"}


class NamesNoGroup(EpochRule):
    def measure(self, probe):
        return {"entropy": 1.0}


def test_a_right_rule_passes():
    check_rule(StopsEarly())


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (StopsInTheFuture, r"after 0 epochs stop with Stop\(epoch=1"),
        (Counts, "differ when the records are read again"),
        (Spoils, "changes the records"),
        (AllowsHalf, "of 0 and 1"),
        (AllowsLater, "in some epochs and not in others, after 3"),
        (MeasuresText, "must be a number"),
        (NamesNoGroup, "GROUP/NAME"),
    ],
)
def test_wrong_rules_do_not(wrong, sentence):
    with pytest.raises(AssertionError, match=sentence) as raised:
        check_rule(wrong())
    assert wrong.__name__ in str(raised.value)


class Strongest(Derivation):
    def edges(self, mixing, cells):
        return derive(mixing, cells)


class Once(Derivation):
    """Keeps the first edge of each node alone."""

    def edges(self, mixing, cells):
        return {kind: [node[:1] for node in nodes] for kind, nodes in derive(mixing, cells).items()}


class Invents(Derivation):
    def edges(self, mixing, cells):
        edges = derive(mixing, cells)
        return {k: [[("magic", s) for _, s in node] for node in n] for k, n in edges.items()}


class Zeroes(Derivation):
    def edges(self, mixing, cells):
        for table in mixing.values():
            table[0] = 0.0
        return derive(mixing, cells)


def test_derivations():
    check_derivation(Strongest())
    for wrong, sentence in (
        (Once, "it keeps"),
        (Invents, "'magic'"),
        (Zeroes, "changes the weights"),
    ):
        with pytest.raises(AssertionError, match=sentence):
            check_derivation(wrong())
