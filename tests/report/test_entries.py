import dataclasses

from tf_darts.cells.published import PUBLISHED
from tf_darts.report.entries import (
    LOOKED_UP,
    TRAINED,
    Entry,
    by_data,
    differing,
    distinct,
    group,
    independent_draws,
)
from tf_darts.report.learnt_data import LearntData
from tf_darts.report.report_tables import comparison_rows, paper_rows

CELL = PUBLISHED["recurrent"]["enas"]
FIRST = Entry(
    name="a",
    scored_by=TRAINED,
    dataset="ptb",
    score="perplexity",
    score_mode="min",
    method="random",
    cell_id="a",
    seed=0,
    value=60.0,
    cell=CELL,
    counts={"weights": 23_000_000, "multiply-adds a word": 22_000_000},
    search_seconds=1800.0,
    training_seconds=7200.0,
    settings={"units": 850},
)


def entry(name, **changes):
    return dataclasses.replace(FIRST, name=name, **{"cell_id": name, **changes})


RANDOM = [entry(f"r{seed}", seed=seed, value=60.0 + seed) for seed in range(3)]
FOUND = [entry(f"f{seed}", seed=seed, method="exact", value=56.0 + seed) for seed in range(3)]


def test_groups_differ_by_more_than_the_seed():
    wide = [entry("w", settings={"units": 900, "bptt": 35}, value=50.0)]
    groups = group([*RANDOM, *FOUND, *wide])
    assert [one.label for one in groups] == ["random, units=900", "exact", "random, units=850"]
    assert [len(one.entries) for one in groups] == [1, 3, 3]


def test_groups_that_no_common_setting_tells_apart_have_a_name():
    other = entry("w", settings={"units": 850, "bptt": 35}, value=50.0)
    labels = [one.label for one in group([*RANDOM, *FOUND, other])]
    assert labels == ["random, w", "exact", "random, r0"]


def test_trainings_of_one_cell_are_a_group_of_their_own():
    again = [dataclasses.replace(e, cell_id="one.json") for e in FOUND[:2]]
    groups = group([*again, FOUND[2]])
    assert [one.label for one in groups] == ["exact (one.json)", "exact (f2)"]
    assert len(group(FOUND)) == len(group(again)) == 1


def test_a_cell_that_was_trained_several_times_is_one_draw():
    assert independent_draws(FOUND) == [CELL] * 3, "three searches may find one cell"
    again = [dataclasses.replace(e, cell_id="one.json") for e in FOUND]
    assert independent_draws(again) == [CELL]
    for changes in ({"method": "given"}, {"method": "enas"}, {"seed": None}):
        assert independent_draws([*FOUND, entry("other", **changes)]) == []


def test_a_score_that_was_looked_up_is_no_validation():
    looked_up = entry("a", scored_by=LOOKED_UP)
    assert [e.score_name for e in (FIRST, looked_up)] == [
        "validation perplexity",
        "table perplexity",
    ]
    assert "table perplexity" in paper_rows(group([looked_up]))[0]


def test_failed_entries_are_in_no_group():
    failed = entry("x", value=None, cell=None, reason="It diverged.", seed=7)
    assert [len(one.entries) for one in group([*RANDOM, failed])] == [3]
    assert group([failed]) == []


def test_the_same_result_in_two_studies_counts_once():
    copy = dataclasses.replace(RANDOM[1], name="other/r1", cell_id="other/r1")
    given = [entry("g", seed=None), entry("h", seed=None)]
    failed = [entry(name, value=None, cell=None, reason="It diverged.") for name in "xy"]
    kept, repeated = distinct([*RANDOM, copy, *given, *failed])
    assert kept == [*RANDOM, *given, *failed]
    assert repeated == [(copy, RANDOM[1])]


def test_paper_rows():
    entries = [dataclasses.replace(FOUND[0], test=55.0), *FOUND[1:], *RANDOM]
    entries[-1] = dataclasses.replace(
        entries[-1], search_seconds=None, counts={"weights": 24_000_000}
    )
    ours, random = paper_rows(group(entries))
    assert ours == {
        "cells": "exact",
        "n": "3",
        "validation perplexity": "57.00 ± 1.00",
        "best": "56.00",
        "test perplexity": "55.00 (n = 1)",
        "weights": "23M",
        "multiply-adds": "22M",
        "search (device-hours)": "0.5",
        "training (device-hours)": "2",
    }
    assert (random["weights"], random["search (device-hours)"]) == ("23M–24M", "")
    assert random["test perplexity"] == ""


def test_other_data_are_no_repeats_no_group_and_no_reference():
    one, two = LearntData("1", "n", "8", ""), LearntData("2", "n", "9", "")
    first, same, other = (
        dataclasses.replace(RANDOM[0], name=name, data=data)
        for name, data in (("r", one), ("s", one), ("t", two))
    )
    assert distinct([first, same, other]) == ([first, other], [(same, first)])
    assert [len(one.entries) for one in group([first, other])] == [1, 1]
    others = [dataclasses.replace(e, data=two) for e in RANDOM]
    found = [dataclasses.replace(e, data=one) for e in FOUND]
    rows, sentence = comparison_rows(group([*others, *found]), "random")
    assert not rows and "exact (n = 3)" in sentence
    assert by_data([first, other]) == [[first, other]], "only divided in another way"
    other = dataclasses.replace(other, data=two._replace(division="8"))
    assert by_data([first, other, same]) == [[first, same], [other]]


def test_a_group_of_one_cell_is_called_as_its_file():
    one = [dataclasses.replace(e, cell_id="1", cell_label="one.json") for e in FOUND[:2]]
    other = dataclasses.replace(FOUND[2], cell_id="2", cell_label="one.json")
    assert [made.label for made in group([*one, other])] == [
        "exact (one.json), f0",
        "exact (one.json), f2",
    ]


def test_a_single_run_and_one_without_validation():
    alone, unseen = entry("a", method="enas"), entry("b", method="nao", value=None)
    rows = paper_rows(group([unseen, alone]))
    assert [row["validation perplexity"] for row in rows] == ["60.00", ""]
    assert rows[1]["best"] == ""


def test_comparisons_are_with_the_reference_of_the_same_training():
    single = [entry("s", method="first_order", value=59.0)]
    wide = [entry(f"w{i}", seed=i, method="exact", settings={"units": 9}) for i in range(2)]
    found = [dataclasses.replace(e, settings={"units": 850, "search.epochs": 50}) for e in FOUND]
    groups = group([*RANDOM, *found, *single, *wide])
    (row,), sentence = comparison_rows(groups, "random")
    assert row["n"] == "3 and 3" and row["difference from random"] == "-4.00"
    assert "first_order (n = 1)" in sentence and "units=9 (n = 2)" in sentence
    (row,), _ = comparison_rows(group([*RANDOM, *FOUND]), "exact")
    assert row["cells"] == "random" and row["difference from exact"] == "+4.00"


def test_a_cell_of_the_reference_counts_once_and_none_is_left_out():
    """Two random cells with three seeds each: the comparison is with both, not with the best."""
    cells = [("good", 55.0), ("bad", 75.0)]
    random = [
        entry(f"{cell}{seed}", cell_id=cell, seed=seed, value=value + seed)
        for cell, value in cells
        for seed in range(3)
    ]
    groups = group([*random, *FOUND])
    assert sorted(one.label for one in groups) == ["exact", "random (bad)", "random (good)"]
    (row,), _ = comparison_rows(groups, "random")
    assert (row["n"], row["difference from random"]) == ("3 and 2", "-9.00")


def test_differing_settings():
    others = [entry("a"), entry("b", settings={"units": 850, "flip": True})]
    assert differing(others) == []
    others.append(entry("c", settings={"units": 850, "flip": False}))
    assert differing(others) == ["flip"]
