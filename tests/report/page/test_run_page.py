"""The page of a run, as a file and as a browser shows it."""

import json
import shutil

import numpy as np
import plotly.graph_objects as go
import pytest
from playwright.sync_api import sync_playwright

from tf_darts.cells.genotype import SPACES
from tf_darts.cells.space import find_space
from tf_darts.report.page import run_page
from tf_darts.report.page.document import PAGE
from tf_darts.report.page.run_page import write_run_page

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
    return text[text.index("</head>") :]


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
    for name in ("skip connections", "λ: the largest eigenvalue", "looked-up scores", "resumed, 2"):
        assert name in text or json.dumps(name)[1:-1] in text


@pytest.mark.skipif(BROWSER is None, reason="No Chromium is installed, which would show the page.")
def test_the_slider_shows_another_epoch(search):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900}, offline=True)
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto((search / PAGE).as_uri())
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
        assert not errors
        browser.close()


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
    assert "λ was not measured" in text and "were not looked up" in text
    assert "mixing weights were not recorded" in text and "environment of this run was not" in text
    assert "No epoch of this run" in body(written(run(tmp_path, [])))
    (tmp_path / "history.jsonl").write_text("{]\n")
    assert "history.jsonl" in body(written(tmp_path))
    assert "The cell is left out" in body(written(run(tmp_path, [record(1)], kind="training")))


def test_texts_are_escaped(tmp_path):
    evil = "<script>alert(1)</script>"
    directory = run(tmp_path / "<b>", [record(1, monitors={evil: 1.0})], {"method": evil})
    text = body(written(directory))
    assert evil not in text and "<b>" not in text and "&lt;b&gt;" in text
