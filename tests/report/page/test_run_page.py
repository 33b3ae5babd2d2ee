"""The page of a run, as a file and as a browser shows it."""

import json
import re
import shutil
import sys

import numpy as np
import plotly.graph_objects as go
import pytest
from playwright.sync_api import sync_playwright

from tf_darts.cells.genotype import SPACES
from tf_darts.cells.space import find_space
from tf_darts.errors import UserError
from tf_darts.report.page import document, run_page
from tf_darts.report.page.document import PAGE
from tf_darts.report.page.run_page import write_run_page
from tf_darts.report.summary_report import write_report
from tf_darts.runs.search import run_search
from tf_darts.runs.training import run_training
from tf_darts.study.run_study import run_study

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
EPOCHS = 50
OPERATIONS = ("max_pool_3x3", "sep_conv_3x3", "skip_connect", "dil_conv_5x5")


def cell(number):
    """A convolutional cell, another for each of the first four numbers."""
    edges = [[OPERATIONS[(number + i // 2) % 4], i % 2] for i in range(8)]
    concat = [2, 3, 4, 5]
    document = {"normal": edges, "normal_concat": concat, "reduce": edges, "reduce_concat": concat}
    return SPACES["convolutional"].from_dict(document)


def record(epoch, **more):
    random = np.random.default_rng(epoch)
    topologies = find_space("convolutional").topologies
    own = cell(epoch * 4 // (EPOCHS + 1))
    return {
        "epoch": epoch, "seconds": 2.0 * epoch, "train_loss": 2.0, "train_accuracy": 50.0,
        "validation_loss": 2.0, "validation_accuracy": 40.0 + epoch / 100, "entropy": 2.0,
        "learning_rate": 0.025, "genotype": own.to_dict(), "cell": str(own),
        "mixing": {
            kind: random.dirichlet(np.ones(len(t.all_operations)), t.edges).tolist()
            for kind, t in topologies.items()
        },
    } | more  # fmt: skip


def run(directory, records, settings=None, kind="search"):
    settings = {"mode": "search", "dataset": "cifar10", "epochs": EPOCHS} | (settings or {})
    config = {"kind": kind, "space": "convolutional", "settings": settings}
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "history.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    return directory


def written(directory):
    write_run_page(directory)
    return (directory / PAGE).read_text(encoding="utf-8")


def body(text):
    """The page without its library."""
    return text.partition("</head>")[2].partition("<script>")[0]


def test_a_search_has_its_methods_name(tmp_path):
    """As a config.json has first order: the paper's method with another estimate."""
    settings = {"method": "darts", "hypergradient": "first_order", "seed": 3}
    text = body(written(run(tmp_path / "first", [record(1)], settings)))
    assert "method darts_first, dataset cifar10, seed 3" in text


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    monitors = {"skips/normal": 3.0, "eigenvalue/largest": 0.25}
    table = {"cifar10": 93.0, "cifar10_valid_12_epochs": 80.0}
    records = [record(e, monitors=monitors, table=table) for e in range(1, EPOCHS + 1)]
    directory = run(tmp_path_factory.mktemp("page") / "a search", records)
    starts = [{"time": "now", "versions": {"NumPy": "1"}}, {"time": "later"}]
    (directory / "environment.json").write_text(json.dumps({"starts": starts}))
    write_run_page(directory)
    return directory


def test_it_is_one_small_file_that_asks_for_nothing_else(search):
    file = search / PAGE
    assert file.stat().st_size < 6e6
    text = body(file.read_text(encoding="utf-8"))
    assert "<script src" not in text and "<link" not in text and "<img" not in text
    edges = re.findall(r"edge ([^\"]+)\"", text.replace(r"\u2192", "→"))
    assert edges[:5] == ["c_k-2→0", "c_k-1→0", "c_k-2→1", "c_k-1→1", "0→1"]  # as it is drawn
    for name in (
        "skip connections",
        "λ: the largest eigenvalue",
        "looked-up scores",
        "start 2, what",
    ):
        assert name in text or json.dumps(name)[1:-1] in text
    assert "<th>versions</th><td>NumPy 1</td>" in text


@pytest.fixture(scope="module")
def browser():
    if BROWSER is None:
        pytest.skip("No Chromium is installed, which would show the page.")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, search):
    """The page of the search in a browser; no error may come of anything that is done with it."""
    page, errors = browser.new_page(viewport={"width": 1280, "height": 900}, offline=True), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((search / PAGE).as_uri())
    page.wait_for_selector("#cell .gtitle")
    yield page
    page.close()
    assert not errors


def test_the_slider_shows_another_epoch(page):
    title, weights = page.locator("#cell .gtitle"), "document.getElementById('cell').data[2].z"
    assert title.text_content().startswith("epoch 50,")
    operations = page.locator("#cell .annotation-text").all_text_contents()
    rail = page.locator("#cell .slider-rail-touch-rect").bounding_box()
    page.mouse.click(rail["x"] + 12, rail["y"] + rail["height"] / 2)
    page.wait_for_function("document.querySelector('#cell .gtitle').textContent[7] == ','")
    epoch = int(title.text_content().removeprefix("epoch ").partition(",")[0])
    assert epoch < 5
    assert page.locator("#cell .slider-label").first.text_content() == f"epoch {epoch}"
    assert page.locator("#cell .annotation-text").all_text_contents() != operations
    shown = page.evaluate(weights)
    np.testing.assert_allclose(shown, record(epoch)["mixing"]["normal"], rtol=1e-3)


def test_the_page_is_open_with_its_first_figure_and_then_draws_the_others(page):
    opened = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    drawn = "figures.map((element) => !!element.layout)"
    page.wait_for_function(f"{drawn}.every((done) => done)")
    assert opened > 0 and len(page.evaluate(drawn)) > 5
    assert page.locator(".figure .main-svg").count() >= len(page.evaluate(drawn))


def test_plotlys_library_stands_alone():
    """What is done to it fits the version that is installed."""
    text = document._library()
    assert "Licensed under the MIT license" in text[:300] and "factory" not in text[:300]
    assert text.rstrip().endswith("window.Plotly = Plotly;")


def test_the_figures_are_of_plotlys_schema(search, monkeypatch):
    drawn = {}
    monkeypatch.setattr(run_page, "figures", lambda panels: drawn.update(panels) or "")
    write_run_page(search)
    assert {"cell", "weights_0", "weights_1", "monitor_skips"} <= set(drawn)
    for figure in drawn.values():
        go.Figure(figure)  # it refuses what it does not know


def test_what_is_missing_is_a_sentence(tmp_path):
    old = record(1)
    del old["mixing"]
    text = body(written(run(tmp_path, [old])))
    assert "λ was not measured" in text and "<code>eigenvalue</code>" in text and "`" not in text
    assert "were not looked up" in text
    assert "mixing weights were not recorded" in text and "environment of this run was not" in text
    assert "No epoch of this run" in body(written(run(tmp_path, [])))
    (tmp_path / "history.jsonl").write_text("{]\n")
    assert "history.jsonl" in body(written(tmp_path))
    assert "The cell is left out" in body(written(run(tmp_path, [record(1)], kind="training")))


def test_the_page_of_one_old_run_is_that_of_a_report_of_it_alone(runs, tmp_path):
    """Runs of before there were pages; `config.json` says neither their kind nor their space."""
    old = runs.search("old")
    write_report([str(old)], str(tmp_path / "report"), "random")
    text = body((tmp_path / "report" / PAGE).read_text(encoding="utf-8"))
    assert "<h1>search old</h1>" in text and "The cell over the epochs" in text
    assert "epoch 2, the supernet\\u0027s validation perplexity 200.00" in text or (
        "epoch 2, the supernet&#x27;s validation perplexity 200.00" in text
    )
    assert not (old / PAGE).exists()


def test_the_operations_of_an_old_run_are_those_that_it_had(tmp_path):
    topologies = find_space("convolutional").narrowed("skip_connect,sep_conv_3x3")
    columns = {kind: len(t.all_operations) for kind, t in topologies.items()}
    rows = {kind: [[1 / columns[kind]] * columns[kind]] * 14 for kind in topologies}
    own = record(1, mixing=rows)
    text = body(written(run(tmp_path, [own], {"operations": "skip_connect,sep_conv_3x3"})))
    assert "weights_0" in text and "max_pool_3x3, " not in text


@pytest.mark.parametrize(
    "begin",
    [
        lambda: run_search(None, None),
        lambda: run_training(None, None, None),
        lambda: run_study(None),
        lambda: write_report(["nowhere"], "nowhere", "random"),
    ],
    ids=["search", "training", "study", "report"],
)
def test_without_plotly_nothing_begins(begin, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(UserError, match=r"^plotly is not installed.*pip install 'plotly>=6.1'"):
        begin()


def test_texts_are_escaped(tmp_path):
    evil = "<script>alert(1)</script>"
    directory = run(tmp_path / "<b>", [record(1, monitors={evil: 1.0})], {"method": evil})
    text = body(written(directory))
    assert evil not in text and "<b>" not in text and "&lt;b&gt;" in text
