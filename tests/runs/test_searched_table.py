"""A search of NAS-Bench-201's space with --table, and a report over it."""

import json

import pytest

from tests.support import in_process, toy_table
from tf_darts.benchmarks import NasBench201

pytestmark = pytest.mark.slow

SEARCH = [
    *("--mode=search", "--dataset=digits", "--space=nasbench201", "--channels=1"),
    *("--cells_per_stage=1", "--train_examples=24", "--batch_size=4", "--steps_per_epoch=1"),
    *("--evaluation_batch_size=12", "--alpha_learning_rate=0.5", "--epochs=1"),
]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return toy_table.write(tmp_path_factory.mktemp("toy") / "toy.csv")


def run(*arguments):
    return in_process.run(in_process.MAIN, *arguments, eagerly=True)


def test_a_search_and_its_report(uncounted, tmp_path, table):
    path = tmp_path / "run"
    status, out, err = run(*SEARCH, f"--table={table}", f"--run_dir={path}")
    assert status == 0, err
    assert f"In {table}, a table of 15,625 cells, the cell has these scores" in out
    for word in ("percentile", "best of 10 random", "all_3x3", "best_cifar100", "optimum", "alike"):
        assert word in out
    (record,) = map(json.loads, (path / "history.jsonl").read_text().splitlines())
    scores = toy_table.scores([name for name, _ in record["genotype"]["nasbench201"]])
    assert record.pop("table") == scores
    document = json.loads((path / "table.json").read_text())
    found = {score["score"]: score for score in document["scores"]}
    assert found["cifar10"]["value"] == scores["cifar10"]
    assert document["references"]["all_3x3"] == NasBench201(table).query("all_3x3")
    assert "table" not in json.loads((path / "config.json").read_text())["settings"]

    # A search that has no table in its records is looked up as well.
    (path / "history.jsonl").write_text(json.dumps(record) + "\n")
    asked = ("--mode=report", f"--run_dir={path}", f"--report_dir={tmp_path / 'report'}")
    status, _, err = run(*asked, f"--table={table}")
    assert status == 0, err
    text = (tmp_path / "report" / "report.md").read_text()
    assert "#### In the table" in text and "| best of 100 random |" in text
    assert f"| run | {scores['cifar10']:.2f} (" in text
    for column in ("cifar10", "cifar100"):
        picture = tmp_path / "report" / "plots" / f"digits_search_table_{column}.png"
        assert picture.read_bytes().startswith(b"\x89PNG") and picture.name in text
    status, _, err = run(*asked, f"--table={tmp_path / 'nowhere.csv'}")
    assert status == 2 and "nowhere.csv: cannot be read" in in_process.sentence(err, "tf_darts")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--table=/nowhere.csv"], "/nowhere.csv: cannot be read (No such file"),
        (["--table=/nowhere.csv", "--space=convolutional"], "of the space convolutional, of which"),
        (["--table_score=cifar10"], "--table_score has no meaning for --mode=search"),
    ],
)
def test_wrong_input_is_found_before_the_search(tmp_path, arguments, words):
    few = [word for word in SEARCH if "cells_per" not in word]
    status, out, err = run(*few, *arguments, f"--run_dir={tmp_path / 'run'}")
    assert status == 2 and in_process.after_the_device(out) == ""
    assert words in in_process.sentence(err, "tf_darts")
    assert not (tmp_path / "run").exists()
