"""What commit 517e77a.0 left (commit 517e77a) is resumed, tested, reported, exported."""

import json
import pathlib
import shutil
import signal
import tarfile

import pytest
import tensorflow as tf

from tests.support.toy_search import without_time
from tf_darts.config import presets as config
from tf_darts.config.given_cell import find_cell
from tf_darts.formats.rest_requests import answer
from tf_darts.report.read_runs import read_entries
from tf_darts.runs.export import run_export
from tf_darts.runs.search import run_search
from tf_darts.runs.testing import run_training_test
from tf_darts.runs.training import run_training
from tf_darts.runtime.signals import Stopped, StopRequest
from tf_darts.study.run_study import run_study

pytestmark = pytest.mark.slow

ARCHIVE = pathlib.Path(__file__).with_name("fixtures") / "runs_517e77a.tar.gz"
RATES = dict.fromkeys(
    ("input_dropout", "cell_input_dropout", "hidden_dropout", "output_dropout"), 0.0
)
SIZES = {"units": 3, "batch_size": 4, "bptt": 6, "evaluation_batch_size": 2, **RATES}


@pytest.fixture
def old(tmp_path):
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def settings(old, **more):
    data = {"dataset": "text", "data_dir": str(old / "text"), "steps_per_epoch": 2}
    return {**data, **SIZES, "deterministic": True, **more}


class After(StopRequest):
    """Asks to stop once the history has so many records."""

    def __init__(self, run, records):
        super().__init__()
        self.file, self.records = run / "history.jsonl", records

    def __bool__(self):
        done = len(self.file.read_text().splitlines())
        self.signal_number = signal.SIGTERM if done >= self.records else None
        return done >= self.records


@pytest.mark.slow
def test_a_stopped_search_goes_on_as_its_own_version_did(old):
    search = settings(old, hypergradient="first_order", weight_learning_rate=0.5, epochs=400)
    asked = {"mode": "search", "run_dir": str(old / "search_stopped"), **search}
    with pytest.raises(Stopped):
        run_search(config.configure(asked), After(old / "search_stopped", 4))
    found, expected = (
        without_time([json.loads(line) for line in file.read_text().splitlines()][:4])
        for file in (old / "search_stopped" / "history.jsonl", old / "search_continued.jsonl")
    )
    assert [record["epoch"] for record in found] == [1, 2, 3, 4]
    for record, before in zip(found, expected, strict=True):
        assert record.keys() - before.keys() <= {"monitors"}
        for name, value in before.items():
            # Another processor adds up in another order; where this was made the bits are the same.
            is_number = isinstance(value, float)
            expectation = pytest.approx(value, rel=1e-4) if is_number else value
            assert name == "mixing" or record[name] == expectation


def test_a_finished_search_is_only_looked_at(old):
    search = settings(old, hypergradient="first_order", weight_learning_rate=0.5, epochs=2)
    asked = {"mode": "search", "run_dir": str(old / "search_finished"), **search}
    before = (old / "search_finished" / "history.jsonl").read_text()
    found = run_search(config.configure(asked), StopRequest())
    assert len(found.history) == 2
    assert (old / "search_finished" / "history.jsonl").read_text() == before
    shutil.rmtree(old / "search_finished" / "checkpoints")
    assert run_search(config.configure(asked), StopRequest()).cell == found.cell


@pytest.mark.slow
def test_a_finished_training_is_tested_exported_and_repeated(old):
    run = old / "train_finished"
    asked = {"mode": "test", "run_dir": str(run), "data_dir": str(old / "text")}
    assert 10 < run_training_test(config.configure(asked))["scores"]["perplexity"] < 14
    exported = {"mode": "export", "run_dir": str(run), "export_dir": str(old / "new")}
    assert run_export(config.configure(exported)).path == old / "new" / "1"
    result = (run / "result.json").read_text()
    genotype = str(old / "search_finished" / "genotype.json")
    train = settings(old, learning_rate=0.5, epochs=2, genotype=genotype, mode="train")
    repeated = config.configure({**train, "run_dir": str(run)})
    run_training(repeated, find_cell(repeated), StopRequest())
    assert (run / "result.json").read_text() == result


def test_reports_read_them(old):
    names = ("search_finished", "train_finished", "study")
    entries = read_entries([str(old / name) for name in names])
    assert [entry.name for entry in entries] == [
        "search_finished",
        "train_finished",
        "study/random_seed0",
        "study/first_order_seed0",
    ]


def test_a_finished_study_is_ranked_again(old):
    text = ",".join(f"{name}={value}" for name, value in SIZES.items())
    text += ",epochs=1,steps_per_epoch=2"
    asked = {
        "mode": "select",
        "dataset": "text",
        "data_dir": str(old / "text"),
        "run_dir": str(old / "study"),
        "candidates": "first_order,random",
        "count": 1,
        "search_settings": f"weight_learning_rate=0.5,{text}",
        "train_settings": f"learning_rate=0.5,{text}",
    }
    before = json.loads((old / "study" / "ranking.json").read_text())
    assert run_study(config.configure(asked)) == before


def test_an_export_answers(old):
    signatures = tf.saved_model.load(str(old / "export" / "1")).signatures
    request = {"signature_name": "score_text", "instances": [{"text": "w1 w2"}]}
    (found,) = answer(signatures, request)["predictions"]
    assert found
