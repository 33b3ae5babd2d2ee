"""DARTS+: both criteria on tables made by hand, and whole searches that stop (METHODS.md 2.1)."""

import json

import numpy as np
import pytest

from tests.support.toy_search import check_killed
from tf_darts.bilevel.epoch_rules import SearchFacts, SearchProbe
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells.space import find_space
from tf_darts.cells.topology import CellTopology
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.methods.darts_plus import RankingStop, SkipStop
from tf_darts.testing.method import toy_config

SPACE = find_space("convolutional")
EPOCHS = 50


def records(rule, cells, tables):
    """The records of a search whose mixing weights these are, with what the rule measures."""
    history = []
    for epoch, mixing in enumerate(tables):
        probe = SearchProbe(
            cells, epoch + 1, EPOCHS, mixing, derive(mixing, cells), None, None, parameters=0
        )
        listed = {kind: table.tolist() for kind, table in mixing.items()}
        history.append({"mixing": listed, "monitors": dict(rule.measure(probe))})
    return history


def first_stop(rule, history, facts):
    """(epochs that were over, what it says) where the rule stops first; None: nowhere."""
    stops = ((n, rule.directions(history[:n], facts).stop) for n in range(len(history) + 1))
    return next(((n, stop) for n, stop in stops if stop), None)


def with_skips(count):
    """A normal cell with so many skip connections, and a reduction cell with eight."""
    tables = {}
    for kind, skips in {"normal": count, "reduce": 8}.items():
        names = SPACE.topologies[kind].operations
        table = np.full([14, len(names)], 0.01)
        table[:, names.index("sep_conv_3x3")] = 0.5
        kept = [0, 1, 2, 3, 5, 6, 9, 10]  # of equals the first two of each node
        table[kept[:skips], names.index("skip_connect")] = 0.6
        tables[kind] = table
    return tables


def test_0_then_1_then_2_skips_stop_at_the_third():
    facts = SearchFacts(SPACE.topologies, EPOCHS)
    history = records(SkipStop(), facts.cells, map(with_skips, (0, 1, 2, 3)))
    over, stop = first_stop(SkipStop(), history, facts)
    assert (over, stop.epoch) == (3, 3)  # the cell of that epoch, with its two
    assert stop.reason == "the derived cell (normal) has 2 skip connections"
    assert first_stop(SkipStop(skip_stop_count=4), history, facts) is None
    assert first_stop(SkipStop(skip_stop_start=3), history, facts)[1].epoch == 4
    # The last epoch of a search needs no stop.
    assert first_stop(SkipStop(), history[:3], facts._replace(epochs=3)) is None


def test_golden_tables(shared):
    golden = json.loads((shared / "golden" / "derivations.json").read_text())["skip_count"]
    tables = []
    for record in golden["epochs"]:
        logits = np.array(record["alpha_normal"])
        weights = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        tables.append({"normal": weights, "reduce": weights})
    facts = SearchFacts(SPACE.topologies, EPOCHS)
    rule = SkipStop(skip_stop_count=golden["limit"])
    over, stop = first_stop(rule, records(rule, facts.cells, tables), facts)
    assert over - 1 == stop.epoch - 1 == golden["stops_at"]


LEARNABLE = {"cell": CellTopology(1, 2, 1, ("none", "skip_connect", "a", "b"))}
FACTS = SearchFacts(LEARNABLE, EPOCHS, parameter_free=("none", "skip_connect"))


def ranked(number, a_first=True, skip=0.1, epoch=0):
    """An epoch's mixing weights: of edge `number` a before b, or not; nothing stands still."""
    table = np.array([[0.2, skip, 0.4, 0.3]] * 3) * (1 + 0.01 * epoch)
    if not a_first:
        table[number, 2:] = table[number, 3:1:-1]
    return {"cell": table}


def of_ranks(firsts, **more):
    return [ranked(1, first, epoch=e, **more) for e, first in enumerate(firsts)]


def test_a_swap_begins_the_count_anew():
    rule = RankingStop()
    steady = records(rule, LEARNABLE, of_ranks([True] * 14))
    over, stop = first_stop(rule, steady, FACTS)
    assert (over, stop.epoch) == (11, 11)  # ten epochs like those before them
    assert stop.reason == "no edge ranked its learnable operations otherwise for 10 epochs"
    for swap in (1, 6, 10):
        swapped = records(rule, LEARNABLE, of_ranks([True] * swap + [False] * 14))
        assert first_stop(rule, swapped, FACTS)[0] == swap + 11
    back_and_forth = records(rule, LEARNABLE, of_ranks([e % 8 < 4 for e in range(40)]))
    assert first_stop(rule, back_and_forth, FACTS) is None
    assert first_stop(rule, steady[:11], FACTS._replace(epochs=11)) is None


def test_what_does_not_learn_has_no_rank():
    rule = RankingStop(ranking_epochs=3)
    tables = [ranked(0, skip=0.9 * (e % 2), epoch=e) for e in range(6)]
    assert first_stop(rule, records(rule, LEARNABLE, tables), FACTS)[0] == 4
    learns = FACTS._replace(parameter_free=("none",))
    assert first_stop(rule, records(rule, LEARNABLE, tables), learns) is None


def test_epochs_in_which_alpha_stands_still_do_not_count():
    rule = RankingStop(ranking_epochs=3)
    warm = [ranked(0)] * 15
    moving = [ranked(0, epoch=e) for e in range(1, 6)]
    history = records(rule, LEARNABLE, [*warm, *moving])
    assert first_stop(rule, history, FACTS)[0] == 15 + 3
    # A temperature moves the mixing weights of an alpha that stands still.
    history = records(rule, LEARNABLE, [ranked(0, epoch=e) for e in range(20)])
    assert first_stop(rule, history, FACTS._replace(frozen_epochs=15))[0] == 15 + 3


@pytest.mark.parametrize(
    ("method", "settings", "epochs"),
    [
        ("darts_plus", {"seed": 3, "skip_stop_count": 1, "skip_stop_start": 1}, 2),
        ("darts_first", {"seed": 2, "rules": "ranking_stop", "ranking_epochs": 1}, 3),
    ],
)
def test_killed_at_any_step_it_is_the_same(method, settings, epochs, tmp_path, eagerly):
    settings = {"epochs": 4, "alpha_scale": 1.0} | settings
    history = check_killed(tmp_path, toy_config(method, **settings))
    result = json.loads((tmp_path / "whole" / "result.json").read_text())
    assert result["epoch"] == result["epochs"] == len(history) == epochs
    assert result["stopped"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"operations": "sep_conv_3x3,max_pool_3x3", "method": "darts_plus"},
            "--rules=skip_stop: the cells of this search have no skip connection",
        ),
        (
            {"rules": "warm_up,skip_stop", "warm_up_epochs": 7},
            "give --skip_stop_start=7 or more",
        ),
        (
            {"operations": "sep_conv_3x3,max_pool_3x3", "rules": "ranking_stop"},
            "--rules=ranking_stop: no edge of this search has two operations that learn",
        ),
        (
            {"method": "darts_plus", "skip_stop_start": 49},
            "looks first when epoch 50 ends, and --epochs=50",
        ),
        (
            {"rules": "ranking_stop", "ranking_epochs": 49},
            "give --epochs=51 or more",
        ),
        (
            {"rules": "warm_up,ranking_stop", "warm_up_epochs": 40},
            "compares 10 epochs in which alpha moves with those before, and --epochs=50; give"
            " --epochs=52 or more",
        ),
        (
            {"method": "darts_plus", "derivation": "perturbation"},
            "skip_stop may stop the search before --derivation=perturbation has chosen",
        ),
    ],
)
def test_wrong_input_is_a_sentence(settings, words):
    asked = {"mode": "search", "dataset": "cifar10"} | settings
    with pytest.raises(UserError) as error:
        configure(asked)
    assert words in str(error.value)


def test_its_advice_works():
    asked = {"mode": "search", "dataset": "cifar10", "rules": "warm_up,skip_stop"}
    made = configure(asked | {"warm_up_epochs": 7, "skip_stop_start": 7})
    assert made.label == "darts+warm_up+skip_stop"
    assert configure(asked | {"rules": "skip_stop", "skip_stop_start": 48}).skip_stop_start == 48
    ranked = {"rules": "ranking_stop", "ranking_epochs": 49, "epochs": 51}
    assert configure(asked | ranked).epochs == 51
    later = {"rules": "warm_up,ranking_stop", "warm_up_epochs": 40, "epochs": 52}
    assert configure(asked | later).epochs == 52
    assert configure({"mode": "search", "dataset": "ptb", "method": "darts_plus"}).label
