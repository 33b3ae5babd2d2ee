"""Rules in whole searches: what they forbid stays out, and where they stop a search ends."""

import itertools
import json

import numpy as np
import pytest

from tests.support.registries import forget_members
from tests.support.toy_search import Events, Killed, Numbers, config, search, without_time
from tf_darts.bilevel import mixture
from tf_darts.bilevel.derivation import Derivation
from tf_darts.bilevel.epoch_rules import Directions, EpochRule, SearchFacts, Stop, combined
from tf_darts.bilevel.step import BilevelStep
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells import genotype_files
from tf_darts.config import methods
from tf_darts.config.setting import setting
from tf_darts.testing import check_rule

pytestmark = pytest.mark.usefixtures("all_eagerly")  # what rules are told and say is the matter
FACTS = SearchFacts({}, 9)


class Says(EpochRule):
    def __init__(self, **directions):
        self.said = Directions(**directions)

    def directions(self, history, facts):
        return self.said


def test_several_rules_together():
    first = Says(allowed={"a": np.array([[1, 0, 1]])})
    second = Says(freeze_alphas=True, allowed={"a": np.array([[1, 1, 0]]), "b": np.ones([1, 1])})
    third = Says(stop=Stop(3, "third"))
    assert combined([]) == Directions()
    together = combined([r.said for r in (first, second, third, Says(stop=Stop(1, "last")))])
    assert together.freeze_alphas and together.stop == Stop(3, "third")
    assert together.allowed["a"].tolist() == [[1, 0, 0]]
    assert together.allowed["b"].tolist() == [[1]]


@pytest.fixture
def decide(monkeypatch):
    """A rule that decides an edge an epoch, then stops with the cell of an epoch before."""
    forget_members(monkeypatch)

    @methods.register("decide")
    class Decide(EpochRule):
        """Decides an edge at each epoch's end, and stops."""

        last_epoch: int = setting(4, "after which it stops", minimum=1)

        def directions(self, history, facts):
            allowed = {}
            for kind, topology in facts.cells.items():
                table = np.ones([topology.edges, topology.columns])
                for edge in range(min(len(history), topology.edges)):
                    choice = int(history[edge]["monitors"][f"decided/{kind}"])
                    table[edge] = np.arange(topology.columns) == choice
                allowed[kind] = table
            stopped = len(history) >= self.last_epoch
            stop = Stop(len(history) - 1, "enough") if stopped else None
            return Directions(allowed=allowed, stop=stop)

        def measure(self, probe):
            return {
                f"decided/{kind}": float(np.argmax(table[min(probe.epoch, len(table)) - 1]))
                for kind, table in probe.mixing.items()
            }

    return "decide"


def test_a_weight_decay_holds_for_the_epochs_of_which_it_was_said(tmp_path, monkeypatch):
    """And then the search's own; so a search that was killed goes on as if it had not been."""
    forget_members(monkeypatch)

    @methods.register("once")
    class Once(EpochRule):
        def directions(self, history, facts):
            return Directions(weight_decay=0.5 if len(history) == 1 else None)

    made = config(rules="once", weight_decay=1e-3).composed({"rules": "once"})
    seen, given = [], BilevelStep.set_weight_decay

    def watched(self, value):
        seen.append(value)
        given(self, value)

    monkeypatch.setattr(BilevelStep, "set_weight_decay", watched)
    whole = search(tmp_path / "whole", made=made)
    assert [value for value, _ in itertools.groupby(seen)] == [1e-3, 0.5, 1e-3]
    for kill_at in (7, 12):
        killed = tmp_path / f"killed_{kill_at}"
        with pytest.raises(Killed):
            search(killed, Events(kill_at=kill_at), made=made)
        again = search(killed, made=made)
        np.testing.assert_array_equal(again[1], whole[1], err_msg=f"killed at {kill_at}")


def test_a_supernet_that_gives_no_number_is_worth_nothing(tmp_path, monkeypatch):
    """A rule takes the best: what is not a number must not be it."""
    forget_members(monkeypatch)

    @methods.register("asks")
    class Asks(EpochRule):
        def measure(self, probe):
            return {"worst": float(probe.worth(probe.mixing, 1) == -np.inf)}

    worths = mixture.Mixture.score_in_training_mode

    def sometimes(self, *given):
        found = worths(self, *given)
        return found if len(asked) == 1 else dict.fromkeys(found, np.nan)

    asked = [0]
    monkeypatch.setattr(mixture.Mixture, "score_in_training_mode", sometimes)
    made = config(rules="asks", epochs=1).composed({"rules": "asks"})
    _, _, history = search(tmp_path / "a", made=made)
    assert history[0]["monitors"]["worst"] == 0.0
    asked.append(1)
    _, _, history = search(tmp_path / "b", made=made)
    assert history[0]["monitors"]["worst"] == 1.0


def tables(history):
    return [np.array(record["mixing"]["cell"]) for record in history]


def test_a_decided_edge_stays_decided(tmp_path, decide):
    check_rule(decide)
    settings = {"rules": decide, "epochs": 9, "alpha_scale": 1.0}
    made = config(**settings).composed({"rules": decide})
    _, _, history = search(tmp_path, made=made)
    assert len(history) == 4
    for edge, record in enumerate(history[:3]):
        choice = int(record["monitors"]["decided/cell"])
        for table in tables(history[edge + 1 :]):
            assert table[edge, choice] == 1.0 and table[edge].sum() == 1.0


def test_a_search_that_stops_has_the_cell_that_the_rule_names(tmp_path, decide):
    made = config(rules=decide, epochs=9).composed({"rules": decide})
    events = Events()
    _, _, history = search(tmp_path, events, made=made)
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["epoch"], result["epochs"], result["stopped"]) == (3, 4, "enough")
    assert result["genotype"] == history[2]["genotype"]
    cell = genotype_files.load(tmp_path / "genotype.json")
    assert cell.to_dict() == history[2]["genotype"]
    assert cell.provenance["supernet"]["epoch"] == 3
    assert cell.provenance["step"] == history[2]["step"]
    before = (tmp_path / "history.jsonl").read_text()
    # It has finished: the same command does nothing, and checkpoints may be gone.
    again = Numbers()
    search(tmp_path, data=again, made=made)
    assert again.served == [] and (tmp_path / "history.jsonl").read_text() == before


def test_killed_it_is_told_the_same(tmp_path, decide):
    made = config(rules=decide, epochs=9).composed({"rules": decide})
    alpha, weights, history = search(tmp_path / "whole", made=made)
    for step in (1, 6, 14, 19):
        killed = tmp_path / f"killed_{step}"
        with pytest.raises(Killed):
            search(killed, Events(kill_at=step), made=made)
        resumed = search(killed, made=made)
        assert (resumed[0] == alpha).all() and (resumed[1] == weights).all(), step
        assert without_time(resumed[2]) == without_time(history), step


@pytest.fixture
def perturb(monkeypatch):
    """Decides an edge at a time by what its operations are worth, and trains on in between."""
    forget_members(monkeypatch)

    @methods.register("perturb")
    class Perturb(Derivation):
        """Keeps the operation whose removal hurts most (as Wang et al. 2021), edge by edge."""

        def more_epochs(self, cells):
            return cells["cell"].edges

        def measure(self, probe):
            edge = probe.epoch - probe.epochs
            if not 0 <= edge < probe.cells["cell"].edges:
                return {}
            losses = []
            for column in range(1, probe.cells["cell"].columns):  # but `none`
                table = np.array(probe.mixing["cell"])
                table[edge, column] = 0.0
                losses.append(probe.evaluate({"cell": table})["loss"])
            return {f"decided/{edge}": 1.0 + np.argmax(losses)}

        def directions(self, history, facts):
            topology = facts.cells["cell"]
            table = np.ones([topology.edges, topology.columns])
            for record in history:
                for name, choice in record["monitors"].items():
                    if name.startswith("decided/"):
                        row = int(name.split("/")[1])
                        table[row] = np.arange(topology.columns) == choice
            rate = 1e-3 if len(history) >= facts.epochs else None
            return Directions(allowed={"cell": table}, weight_learning_rate=rate)

        def edges(self, mixing, cells):
            return derive(mixing, cells)

    return "perturb"


def test_a_derivation_that_trains_on_between_decisions(tmp_path, perturb):
    made = config(derivation=perturb, epochs=2, alpha_scale=1.0).composed({"derivation": perturb})
    events, data = Events(), Numbers()
    alpha, weights, history = search(tmp_path / "whole", events, data, made=made)
    assert [record["epoch"] for record in history] == [1, 2, 3, 4, 5]
    rates = [record["learning_rate"] for record in history]
    assert rates == pytest.approx([0.01, 0.0055, 1e-3, 1e-3, 1e-3], rel=1e-12)
    decided = [name for record in history for name in record["monitors"] if "decided" in name]
    assert decided == ["decided/0", "decided/1", "decided/2"]
    for edge, record in enumerate(history[2:]):
        choice = int(history[1 + edge]["monitors"][f"decided/{edge}"])
        assert record["mixing"]["cell"][edge][choice] == 1.0
    for step in (9, 12, 23):  # in the search, and between decisions
        with pytest.raises(Killed):
            search(tmp_path / f"killed_{step}", Events(kill_at=step), made=made)
        resumed = search(tmp_path / f"killed_{step}", made=made)
        assert (resumed[0] == alpha).all() and (resumed[1] == weights).all()
        assert without_time(resumed[2]) == without_time(history)
    result = json.loads((tmp_path / "whole" / "result.json").read_text())
    assert (result["epoch"], result["epochs"]) == (5, 5)
