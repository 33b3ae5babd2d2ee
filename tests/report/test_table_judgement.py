"""Cells beside a table, as text: the numbers are those of the table."""

import numpy as np
import pytest

from tests.support import toy_table
from tf_darts.benchmarks import NasBench201
from tf_darts.benchmarks.null_distribution import by_mean_percentile, fisher
from tf_darts.cells.published import PUBLISHED
from tf_darts.report.table_judgement import (
    best_rows,
    cell_rows,
    group_rows,
    judged_ranking,
    ranking_document,
    ranking_text,
    report_section,
    score_rows,
    search_document,
    search_text,
)
from tf_darts.spaces.nasbench201 import strings

CELLS = PUBLISHED["nasbench201"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return NasBench201(toy_table.write(tmp_path_factory.mktemp("toy") / "toy.csv"))


def test_a_search_s_cell(table):
    cell = CELLS["resnet"]
    row = {row["score"]: row for row in score_rows(table, cell)}["cifar10"]
    null, value = table.null("cifar10"), table.query(cell)["cifar10"]
    assert row == {
        "score": "cifar10",
        "cell": f"{value:.2f}",
        "percentile": f"{table.percentile(cell, 'cifar10'):.1f}",
        "among 1,215 alike": f"{table.percentile(cell, 'cifar10', 'alike'):.1f}",
        "p": f"{null.p(value):.2g}",
        "best of 10 random": f"{null.best_of(10)[0]:.2f}",
        "best of 100 random": f"{null.best_of(100)[0]:.2f}",
        "all_3x3": f"{table.query('all_3x3')['cifar10']:.2f}",
        "best_cifar100": f"{table.query('best_cifar100')['cifar10']:.2f}",
        "optimum": f"{null.scores[-1]:.2f}",
    }
    text = search_text(table, cell)
    assert "same numbers of 3×3 and 1×1 convolutions" in text and "among 1,215 alike" in text
    assert [s["value"] for s in search_document(table, cell)["scores"]] == [
        *table.query(cell).values()
    ]
    # Nothing is alike all 3×3: that has no place among such.
    assert score_rows(table, CELLS["all_3x3"])[0]["among 1 alike"] == "–"


def test_groups_have_the_p_of_their_runs_together(table):
    members = [CELLS["resnet"], CELLS["all_3x3"], CELLS["collapsed"]]
    rows = {row["score"]: row for row in group_rows(table, {"some": members, "none": []})}
    assert set(rows) == {"cifar10", "cifar100"}, "not of few epochs"
    values = [table.query(cell)["cifar10"] for cell in members]
    null = table.null("cifar10")
    ps, places = [null.p(v) for v in values], [null.percentile(v) for v in values]
    row = rows["cifar10"]
    assert row["n"] == "3" and row["percentile"] == f"{np.mean(places):.1f}"
    assert row["in the table"] == f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}"
    assert row["p (Fisher)"] == f"{fisher(ps):.2g}"
    assert row["p (mean percentile)"] == f"{by_mean_percentile(ps):.2g}"
    alike = [table.percentile(cell, "cifar10", "alike") for cell in (members[0], members[2])]
    assert row["among alike"] == f"{np.mean(alike):.1f}"


def test_a_tuner_is_judged_by_what_it_chose_and_by_the_cells_that_it_drew(table):
    """Hyperband goes on with a cell in other trials, and gives up some that were good."""
    chosen, given_up = CELLS["collapsed"], CELLS["resnet"]
    assert table.query(given_up)["cifar10"] > table.query(chosen)["cifar10"]
    trials = [("a", "hyperband", chosen), ("b", "hyperband", chosen), ("c", "hyperband", given_up)]
    judged = judged_ranking(table, "cifar10", trials, seeded=False)
    (row,) = judged["best"]
    assert row["n"] == "2"
    assert row["best cifar10"] == f"{table.query(chosen)['cifar10']:.2f}"
    assert "best of 2 random" in [row["cell"] for row in judged["judged"]]


def test_cells_that_were_given_are_no_independent_draws(table):
    given = [("x", "given", CELLS["resnet"]), ("y", "given", CELLS["all_3x3"])]
    drawn = [("z", "random", CELLS["collapsed"])]
    judged = judged_ranking(table, "cifar10", given + drawn, seeded=True)
    assert {row["cells"] for row in judged["sources"]} == {"random"}


def test_the_best_of_a_source_is_beside_as_many_random_cells(table):
    members = [CELLS["resnet"], CELLS["collapsed"]]
    several, one = best_rows(table, "cifar10", {"a": members, "b": members[:1]})
    null, best = table.null("cifar10"), max(table.query(cell)["cifar10"] for cell in members)
    assert several["best cifar10"] == f"{best:.2f}" and several["n"] == "2"
    assert several["p"] == f"{1 - (1 - null.p(best)) ** 2:.2g}"
    assert several["expected of random"] == f"{null.best_of(2)[0]:.2f}"
    assert one["expected of random"] == f"{null.scores.mean():.2f}"


def test_a_ranking(table):
    rows = [("x", "random", CELLS["resnet"]), ("y", "given", CELLS["all_3x3"])]
    judged = judged_ranking(table, "cifar10", rows, seeded=True)
    document = ranking_document(judged)
    assert document.count("| x |") == document.count("| y |") == 1
    assert "| best of 2 random |" in document and "Fisher" in document
    assert "percentile" in ranking_text(judged)
    assert "Fisher" not in ranking_document(judged_ranking(table, "cifar10", rows, seeded=False))
    empty = judged_ranking(table, "cifar10", [], seeded=False)
    assert ranking_text(empty) == "" and "optimum" in ranking_document(empty)


def test_cells_that_are_not_in_the_table(tmp_path):
    few = NasBench201(toy_table.write(tmp_path / "few.csv", [strings.from_short("s/ss/sss")]))
    cells = {"in": CELLS["collapsed"], "out": CELLS["resnet"]}
    rows = {row["cell"]: row for row in cell_rows(few, cells, ())}
    assert rows["out"] == {"cell": "out", "cifar10": "not in the table"}
    assert rows["in"]["cifar10"].endswith("(0.0, –; 1)")
    assert "few.csv has no such cell: it has 1 cells of the 15,625" in search_text(
        few, cells["out"]
    )
    assert search_document(few, cells["out"])["scores"] == []
    text = report_section(few, cells, {"group": [*cells.values()]})
    assert "| group | cifar10 | 1 |" in text
    # A search goes on with such cells, which leave gaps.
    assert few.scores_of(cells["out"]) == {}
    assert few.scores_of(cells["in"]) == few.query("collapsed")
