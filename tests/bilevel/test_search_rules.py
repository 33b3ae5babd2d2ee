"""The parts of a method that decide between epochs, asked together."""

import numpy as np
import pytest

from tf_darts.bilevel.epoch_rules import Directions, EpochRule, SearchFacts, SearchProbe, Stop
from tf_darts.bilevel.search_rules import SearchRules
from tf_darts.errors import UserError
from tf_darts.testing.method import toy_config
from tf_darts.testing.toy_search import ToySupernet


@pytest.fixture
def rules():
    def made(**settings):
        config, supernet = toy_config("darts", **{"gap_epochs": 2} | settings), ToySupernet()
        return SearchRules(config, SearchFacts.of(supernet, config))

    return made


def record(epoch, **besides):
    return {"epoch": epoch, "monitors": {}, **besides}


def probe(cells):
    mixing = {
        kind: np.full((cell.edges, len(cell.operations)), 1.0 / len(cell.operations))
        for kind, cell in cells.items()
    }
    return SearchProbe(cells, 1, 3, mixing, {}, None, None, 0, mixing, lambda tables, _: 0.5)


def test_alpha_stands_still_where_one_of_them_says_so(rules):
    ours = rules(rules="warm_up", warm_up_epochs=2, epochs=4)
    frozen = [ours.directions([record(1)] * past).freeze_alphas for past in range(4)]
    assert frozen == [True, True, False, False]


def test_a_table_is_not_seen(rules):
    ours, seen = rules(), []

    class Watch(EpochRule):
        def directions(self, history, facts):
            seen.extend(history)
            return Directions()

    ours._rules = (Watch(),)
    ours.directions([record(1, table={"cifar10": 90.0}, cell="a")])
    assert seen == [record(1, cell="a")]


def test_a_stop_may_take_an_earlier_epoch(rules):
    class Early(EpochRule):
        def directions(self, history, facts):
            return Directions(stop=Stop(1, "it was better"))

    ours = rules()
    ours._rules = (Early(),)
    assert ours.chosen_record([record(1), record(2)]) == (record(1), "it was better")


def test_without_a_stop_the_last_epoch_counts(rules):
    assert rules().chosen_record([record(1), record(2)]) == (record(2), "")
    assert rules().kept(1) == set()


def test_what_is_always_on_is_measured_of_the_cell_that_is_derived(rules):
    cells = ToySupernet().cells
    skips = {f"skips/{kind}": 0.0 for kind in cells}
    measured, edges = rules().measure(probe(cells), [])
    assert set(edges) == set(cells)
    assert measured == {**skips, "discretisation/gap": 0.0}
    assert rules(gap_epochs=0).measure(probe(cells), [])[0] == skips
    named = rules(rules="skip_count,discretisation_gap").measure(probe(cells), [])[0]
    assert named == measured, "named or not"


def test_numbers_have_the_same_names_until_a_search_ends(rules):
    class Warm(EpochRule):
        name = "warm"

        def directions(self, history, facts):
            stop = Stop(3, "it is enough") if len(history) == 3 else None
            return Directions(stop=stop) if stop else Directions(numbers=self.said)

    ours, warm = rules(), Warm()
    warm.said = {"heat": 1.0}
    ours._rules = (warm,)
    for past in range(4):
        ours.directions([record(n) for n in range(past)])
    warm.said = {"cold": 1.0}
    with pytest.raises(UserError, match=r"--rules=warm: .* numbers \['cold'\], and had \['heat'\]"):
        ours.directions([record(1)])


@pytest.mark.parametrize("late", [True, False])
def test_masks_are_said_in_every_epoch_or_in_none(rules, late):
    """Compiled functions take them or do not, and would fail in the middle of a search."""
    cell = ToySupernet().cells["cell"]
    mask = {"cell": np.ones([cell.edges, cell.columns])}

    class Prune(EpochRule):
        name = "prune"

        def directions(self, history, facts):
            return Directions(allowed=mask if bool(history) == late else None)

    ours = rules()
    ours._rules = (Prune(),)
    ours.directions([])
    with pytest.raises(UserError, match="--rules=prune: its directions say in some epochs what is"):
        ours.directions([record(1)])


def test_two_rules_do_not_measure_one_thing_differently(rules):
    """The second would stand in the record, and the first would read what is not its own."""

    class Skips(EpochRule):
        name = "skips"
        value = 0.0

        def measure(self, probe):
            return {"skips/cell": self.value}

    cells = ToySupernet().cells
    ours = rules()
    own = ours._rules
    ours._rules = (*own, Skips())
    assert ours.measure(probe(cells), [])[0]["skips/cell"] == 0.0
    Skips.value = 3.0
    with pytest.raises(UserError, match="--rules=skip_count and --rules=skips both measure 'skips"):
        ours.measure(probe(cells), [])


def test_two_rules_do_not_give_one_number(rules):
    """The second would win in silence."""

    class Warm(EpochRule):
        name = "warm"

        def directions(self, history, facts):
            return Directions(numbers={"heat": 1.0})

    class Hot(Warm):
        name = "hot"

    ours = rules()
    ours._rules = (Warm(), Hot())
    with pytest.raises(UserError, match="--rules=warm and --rules=hot both give a number 'heat'"):
        ours.directions([])
