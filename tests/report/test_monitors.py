"""Monitors of searches in a report."""

import json
import re

import pytest

from tf_darts.cells.answers import AnswerMatch
from tf_darts.report.entries import SUPERNET, Entry
from tf_darts.report.monitors import monitor_curves, monitor_rows
from tf_darts.report.summary_report import write_report


def entry(name, history, **more):
    fields = {"dataset": "cifar10", "score": "accuracy", "score_mode": "max", "method": name}
    fields |= {"cell_id": name, "seed": 0, "value": 70.0, "cell": None, "settings": {}}
    times = {"search_seconds": 1.0, "training_seconds": None}
    return Entry(name=name, scored_by=SUPERNET, history=history, **fields, **times, **more)


def record(epoch, entropy, **monitors):
    return {"epoch": epoch, "entropy": entropy, "monitors": monitors}


@pytest.fixture
def entries():
    skips = [record(1, 1.6, skips=4.0), record(2, 1.5, skips=1.0), record(3, 1.4, skips=2.0)]
    measured = [record(1, 1.6), record(2, None, λ=0.25)]
    return [
        entry("a", skips, answer=AnswerMatch(right=6, edges=6, p=0.00024)),
        entry("b", measured),
        entry("older", [{"epoch": 1}]),
    ]


def test_rows_have_ends_ranges_and_the_answer(entries):
    first, second = monitor_rows(entries)
    assert first == {
        "search": "a",
        "epochs": "3",
        "entropy of α": "1.6 → 1.4",
        "skips": "4 → 2 (1 to 4)",
        "answer": "6 of 6 edges have the right operation (p = 0.00024)",
    }
    assert second == {
        "search": "b",
        "epochs": "2",
        "entropy of α": "1.6",
        "λ": "0.25",
        "answer": "",
    }


def test_a_panel_for_each_monitor(entries):
    figure = monitor_curves(entries)
    panels = {axes.get_title(loc="left"): axes for axes in figure.axes}
    assert list(panels) == ["entropy of α", "skips", "λ"]
    assert [list(line.get_ydata()) for line in panels["skips"].lines] == [[4.0, 1.0, 2.0]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert monitor_curves(entries[2:]) is None


def test_a_report_of_searches_has_them(runs, tmp_path):
    path = runs.search("search_a")
    lines = [json.loads(line) for line in (path / "history.jsonl").read_text().splitlines()]
    lines = [line | {"monitors": {"skips": 1.0}} for line in lines]
    (path / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = write_report([str(path)], str(tmp_path / "report"), "random").read_text()
    assert "#### Monitors" in text and "| search_a |" in text
    (picture,) = re.findall(r"!\[monitors\]\((.*?)\)", text)
    assert (tmp_path / "report" / picture).exists()
