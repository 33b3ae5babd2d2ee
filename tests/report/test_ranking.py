import csv
import json

import pytest

from tf_darts.cells.published import PUBLISHED
from tf_darts.report.ranking import ranking_summary, ranking_table, write_ranking
from tf_darts.report.ranking_plot import ranking_plot
from tf_darts.report.write_warnings import WriteWarnings

CELL = PUBLISHED["convolutional"]["darts_v2"]


def candidate(source, seed, score, **others):
    return {
        "name": f"{source}_seed{seed}",
        "source": source,
        "seed": seed,
        "status": "completed",
        "reason": "",
        "score": score,
        "cell": str(CELL),
        "genotype": CELL.to_dict(),
        "space": CELL.space,
        "counts": {"weights": 3_349_342, "multiply-adds an image": 528_359_040},
        "search_seconds": 12.0,
        "training_seconds": 30.0,
        "settings": {},
        "snapshots": [],
    } | others


FAILED = candidate(
    "random",
    9,
    None,
    status="failed",
    reason="It diverged | at\nstep 3",
    cell="",
    genotype=None,
    counts={},
)
RANKING = {
    "score": "accuracy",
    "score_mode": "max",
    "dataset": "cifar10",
    "candidates": [
        candidate("finite_difference", 1, 97.5, settings={"momentum": 0.8}),
        candidate("finite_difference", 0, 97.0),
        candidate("random", 0, 96.0),
        candidate("random", 1, 95.0),
        candidate("given", None, 94.0),
        FAILED,
    ],
}


def cells_of(table):
    return [
        [c.strip() for c in line.split(" | ")] for line in table.replace(r"\|", "¦").split("\n")
    ]


def test_files_of_a_ranking(tmp_path):
    (tmp_path / "study").mkdir()
    write_ranking(tmp_path / "study", RANKING, WriteWarnings("study"))
    write_ranking(tmp_path / "study", RANKING, WriteWarnings("study"))  # again, over the old one
    files = sorted(p.relative_to(tmp_path / "study").as_posix() for p in tmp_path.rglob("*.*"))
    assert files == [
        "plots/ranking.png",
        *(f"ranking.{s}" for s in ("csv", "json", "md")),
        "report.html",
    ]
    assert json.loads((tmp_path / "study" / "ranking.json").read_text()) == RANKING
    text = (tmp_path / "study" / "ranking.md").read_text()
    assert "higher is better" in text and "(plots/ranking.png)" in text
    assert ranking_table(RANKING) in text


def test_csv_has_every_number(tmp_path):
    write_ranking(tmp_path, RANKING, WriteWarnings("study"))
    with (tmp_path / "ranking.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["place"] for row in rows] == ["1", "2", "3", "4", "5", ""]
    assert float(rows[0]["score"]) == 97.5 and rows[0]["momentum"] == "0.8"
    assert rows[0]["multiply-adds an image"] == "528359040" and rows[1]["momentum"] == ""
    assert rows[-1]["score"] == "" and rows[-1]["reason"] == FAILED["reason"]
    assert rows[0]["cell"] == str(CELL)


def test_table_is_markdown_whatever_the_cells_and_reasons_are(tmp_path):
    lines = cells_of(ranking_table(RANKING).rstrip())
    assert len(lines) == 2 + 6
    assert {len(line) for line in lines} == {len(lines[0])}
    assert lines[2][:5] == ["| 1", "finite_difference_seed1", "finite_difference", "1", "97.50"]
    assert "momentum=0.8" in lines[2] and "3.35M" in lines[2] and "528M" in lines[2]
    assert lines[-1][0] == "| failed" and lines[-1][-1] == "It diverged ¦ at step 3 |"


def test_summary_by_source():
    header, *lines = ranking_summary(RANKING).split("\n")
    assert header.split()[:4] == ["source", "accuracy", "n", "best"]
    assert [line.split()[0] for line in lines] == ["finite_difference", "random", "given"]
    ours, random, given = lines
    # Of the six exchanges of 2 with 2, one is as far apart and one the opposite.
    assert ours.split()[1:] == ["97.25", "±", "0.35", "2", "97.50", "+1.75", "0.129", "0.333"]
    assert random.split()[1:] == ["95.50", "±", "0.71", "2", "96.00", "1"]  # one failed
    assert given.split() == ["given", "94.00", "1", "94.00"]
    assert "difference from random" in header


def test_cells_that_somebody_chose_are_no_sample():
    """Two published cells have no p against random ones."""
    given = next(c for c in RANKING["candidates"] if c["source"] == "given")
    other = given | {"name": "another", "score": 93.0}
    candidates = [*RANKING["candidates"], other]
    line = ranking_summary(RANKING | {"candidates": candidates}).split("\n")[3]
    assert line.split() == ["given", "93.50", "±", "0.71", "2", "94.00"]


def test_no_comparison_without_random():
    ours = [c for c in RANKING["candidates"] if c["source"] == "finite_difference"]
    assert "random" not in ranking_summary(RANKING | {"candidates": ours})


def test_plot_has_a_point_for_each_candidate_and_names_the_failed():
    figure = ranking_plot(RANKING)
    (axes,) = figure.axes
    points = {tuple(line.get_ydata()) for line in axes.lines if line.get_marker() == "o"}
    assert points == {(97.5, 97.0), (96.0, 95.0), (94.0,)}
    assert len(axes.containers) == 2  # bars; one candidate has none
    assert axes.get_title().endswith("points are candidates, bars mean ± std")
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["finite\ndifference\nn = 2", "random\nn = 2", "given\nn = 1"]
    assert "failed: random_seed9 (It diverged | at step 3)" in figure.get_supxlabel()


def test_single_candidates_have_no_bars():
    given = [c for c in RANKING["candidates"] if c["source"] == "given"]
    (axes,) = ranking_plot(RANKING | {"candidates": given}).axes
    assert not axes.containers and axes.get_title().endswith("points are candidates")


@pytest.mark.parametrize("candidates", [[FAILED] * 9, []])
def test_nothing_completed(tmp_path, candidates):
    ranking = RANKING | {"candidates": candidates}
    write_ranking(tmp_path, ranking, WriteWarnings("study"))
    figure = ranking_plot(ranking)
    assert figure.axes[0].texts[0].get_text() == "no candidate completed"
    assert figure.get_supxlabel().count("failed:") == min(6, len(candidates))
    summary = ranking_summary(ranking)
    assert summary.split() == (
        ["source", "n", "failed", "random", "0", "9"] if candidates else ["No", "candidates."]
    )
