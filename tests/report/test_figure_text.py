"""Every figure with texts of users can be drawn, whatever they hold."""

import dataclasses

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text

from tests.report.test_entries import FIRST
from tests.report.test_ranking import CELL, FAILED, RANKING, candidate
from tf_darts.benchmarks import CellTable
from tf_darts.cells.published import PUBLISHED
from tf_darts.report.drawing import cell_drawing
from tf_darts.report.drawing.cell_slots import Arrow
from tf_darts.report.figure_text import literal
from tf_darts.report.monitors import monitor_curves
from tf_darts.report.plots import alpha_heatmap, figure_to_png, learning_curves, save_figure
from tf_darts.report.ranking import write_ranking
from tf_darts.report.ranking_plot import ranking_plot
from tf_darts.report.report_plots import cost_plot, looked_up_curves, overlaid_curves
from tf_darts.report.write_warnings import WriteWarnings

RESNET = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"
ODD = "$x^{$"  # matplotlib takes it for a formula, and cannot read that
SNAPSHOT = {"epoch": 1, "search_seconds": 9.0, "score": 70.0}
ENTRY = dataclasses.replace(FIRST, method=ODD, score=ODD, snapshots=[SNAPSHOT])


def _ranking():
    found = candidate(f"part {ODD}.csv", 0, 9.0)
    failed = FAILED | {"name": ODD, "reason": f"{ODD}: is no table."}
    return RANKING | {"score": ODD, "dataset": ODD, "candidates": [found, failed]}


def _curves():
    record = {"epoch": 1, "s": 3.0, f"table/{ODD}": 4.0, f"{ODD}/{ODD}": 5.0}
    return learning_curves(
        [record],
        {ODD: "s"},
        score_name=ODD,
        monitors=[f"table/{ODD}", f"{ODD}/{ODD}"],
        levels={f"table/{ODD}": (ODD, 2.0)},
        baseline=(ODD, 1.0),
        title=ODD,
    )


def _drawing(monkeypatch):
    (cell,) = cell_drawing.cells_of(PUBLISHED["nasbench201"]["resnet"])
    arrows = [Arrow(a.source, a.target, a.label and ODD) for a in cell.arrows]
    odd = dataclasses.replace(cell, title=ODD, arrows=tuple(arrows))
    monkeypatch.setattr(cell_drawing, "cells_of", lambda genotype: (odd,))
    return cell_drawing.draw_genotype(CELL, ODD)


def _looked_up(tmp_path):
    cell = PUBLISHED["nasbench201"]["resnet"]
    file = tmp_path / "table.csv"
    file.write_text(f"architecture,{ODD}\n{RESNET},93.0\n")
    history = [{"epoch": 1, "genotype": cell.to_dict()}]
    entry = dataclasses.replace(ENTRY, cell=cell, history=history)
    return looked_up_curves([entry], CellTable(file, "nasbench201"), ODD)


@pytest.mark.parametrize(
    "kind", ["ranking", "curves", "heatmap", "monitors", "cost", "overlaid", "looked up", "cell"]
)
def test_a_figure_shows_dollar_signs_as_they_are(kind, tmp_path, monkeypatch):
    scored = dataclasses.replace(ENTRY, history=[{"epoch": 1, f"validation_{ODD}": 3.0}])
    monitored = dataclasses.replace(ENTRY, history=[{"epoch": 1, "monitors": {ODD: 3.0}}])
    figure = {
        "ranking": lambda: ranking_plot(_ranking()),
        "curves": _curves,
        "heatmap": lambda: alpha_heatmap(np.eye(2), [ODD, "b"], ["$c_k$→0", "1"], ODD),
        "monitors": lambda: monitor_curves([monitored]),
        "cost": lambda: cost_plot([ENTRY], [60.0, 61.0], ODD),
        "overlaid": lambda: overlaid_curves([scored]),
        "looked up": lambda: _looked_up(tmp_path),
        "cell": lambda: _drawing(monkeypatch),
    }[kind]()
    figure_to_png(figure)
    texts = [text.get_text() for text in figure.findobj(Text)]
    assert any(literal(ODD) in text for text in texts)
    assert not any(ODD in text for text in texts)


def test_what_is_drawn_is_the_text_itself(tmp_path):
    """Letters stay letters in an SVG, so that what a reader sees can be read there."""
    figure = ranking_plot(_ranking())
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        save_figure(figure, tmp_path / "ranking.svg")
    drawn = (tmp_path / "ranking.svg").read_text()
    assert f"{ODD}: points are candidates" in drawn and "\\" not in drawn


def test_bytes_that_are_no_text_are_shown_by_their_numbers():
    assert literal("caf\udce9 $") == r"caf\udce9 \$"


def test_a_ranking_is_written_whatever_the_candidates_are_called(tmp_path):
    write_ranking(tmp_path, _ranking(), WriteWarnings("study"))
    assert (tmp_path / "plots" / "ranking.png").stat().st_size
