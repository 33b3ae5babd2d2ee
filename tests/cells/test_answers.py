"""How much of a cell is right, and how probable that is by chance."""

import math

import pytest

from tests.support import toy_space
from tests.support.registries import forget_members
from tf_darts.cells.answers import AnswerMatch, at_least, match_answer
from tf_darts.cells.genotype import genotype_class
from tf_darts.cells.published import PUBLISHED
from tf_darts.cells.space import register_space, spaces
from tf_darts.cells.topology import CellTopology
from tf_darts.errors import UserError

EDGES = PUBLISHED["planted"]["planted"].to_dict()["planted"]


def cell(wrong):
    """The right cell but for its first edges."""
    others = [["taps_4", i] for i in range(3)] + [["taps_3", i] for i in range(3, 6)]
    return genotype_class("planted").from_dict({"planted": [*others[:wrong], *EDGES[wrong:]]})


def test_planted_operations_are_counted():
    by_wrong = [match_answer(cell(wrong)) for wrong in range(7)]
    assert [one.right for one in by_wrong] == [6, 5, 4, 3, 2, 1, 0]
    assert by_wrong[0].p == pytest.approx(4**-6)
    assert by_wrong[1].p == pytest.approx(19 / 4096)
    assert by_wrong[6].p == pytest.approx(1.0)
    assert str(by_wrong[1]) == "5 of 6 edges have the right operation (p = 0.0046)"


def test_fewer_candidates_are_other_odds():
    two = "taps_3,taps_1"
    assert match_answer(cell(3), two) == AnswerMatch(3, 6, pytest.approx(1 / 8))  # three cannot be
    right = PUBLISHED["s4_mini"]["no_noise"]
    assert match_answer(right) == AnswerMatch(5, 5, pytest.approx(1 / 32))


def test_other_spaces_know_no_answer():
    darts = PUBLISHED["convolutional"]["darts_v2"]
    assert match_answer(darts) is None


def test_an_answer_that_no_cell_can_be_compared_with(monkeypatch):
    forget_members(monkeypatch)
    with pytest.raises(UserError, match=r"'toy' has no published cell 'right', .*; publish it, or"):
        register_space(toy_space.space(answer="right"))
    graphs = {"cell": lambda: CellTopology(1, 2, 1, ("a", "b"))}
    published = {"right": {"cell": [["a", 0], ["b", 1]], "cell_concat": [1, 2]}}
    with pytest.raises(UserError, match=r"do not keep every edge; give its topologies keep=None"):
        register_space(toy_space.space(answer="right", graphs=graphs, published=published))
    assert "toy" not in spaces()


def test_probabilities_are_binomial_where_all_are_alike():
    for count in range(8):
        tail = sum(math.comb(7, k) * 0.3**k * 0.7 ** (7 - k) for k in range(count, 8))
        assert at_least(count, [0.3] * 7) == pytest.approx(tail, rel=1e-12)
    assert at_least(2, [0.5, 0.25]) == pytest.approx(0.125)
