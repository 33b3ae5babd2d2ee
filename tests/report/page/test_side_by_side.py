import pathlib

import plotly.graph_objects as go

from tf_darts.report.page.document import PAGE
from tf_darts.report.page.side_by_side import sortable, write_study_page
from tf_darts.report.summary_report import write_report


def test_rows_are_sorted_by_any_column():
    rows = [{"run": "b", "score": 10.0}, {"run": "a", "score": None}, {"run": "<c>", "score": 9.0}]
    figure = sortable(rows, "as they came")
    go.Figure(figure)  # it refuses what it does not know
    orders = {
        button["label"]: button["args"][0]["cells.values"][0][0]
        for button in figure["layout"]["updatemenus"][0]["buttons"]
    }
    assert orders["sorted by score, ascending"] == ["&lt;c&gt;", "b", "a"]  # as numbers; none last
    assert orders["sorted by score, descending"] == ["b", "&lt;c&gt;", "a"]
    assert orders["sorted by run, descending"] == ["b", "a", "&lt;c&gt;"]


def test_the_list_begins_with_the_order_in_which_the_rows_are():
    """Plotly shows a list's first entry until another one is chosen."""
    figure = sortable([{"run": "b", "score": 9.0}, {"run": "a", "score": 8.0}], "the <best> first")
    menu = figure["layout"]["updatemenus"][0]
    first = menu["buttons"][menu.get("active", 0)]
    assert first["label"] == "the &lt;best&gt; first"
    assert first["args"][0]["cells.values"][0] == figure["data"][0]["cells"]["values"]


def test_a_report_has_its_runs_side_by_side(runs, tmp_path):
    paths = [runs.search("search_a"), runs.search("search_b", seed=1), runs.train("train_c")]
    write_report([str(path) for path in paths], str(tmp_path / "report"), "random")
    text = (tmp_path / "report" / PAGE).read_text(encoding="utf-8")
    text = text.partition("</head>")[2].partition("<script>")[0]
    for name in (
        "search_a",
        "search_b",
        "train_c",
        "sorted by perplexity",
        "were given",
        "Environments",
    ):
        assert name in text


def test_a_study_without_candidates(tmp_path):
    write_study_page(tmp_path, {"score": "accuracy", "dataset": "digits", "candidates": []})
    assert "No candidate has ended yet." in (tmp_path / PAGE).read_text(encoding="utf-8")


def test_a_study_is_called_by_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ranking = {"score": "accuracy", "dataset": "digits", "candidates": []}
    write_study_page(pathlib.Path(), ranking)
    assert f"<title>study {tmp_path.name}</title>" in (tmp_path / PAGE).read_text()
