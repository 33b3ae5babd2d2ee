"""Chaining by files: a training's directory is tested once; what cannot be tested says so."""

import contextlib
import json

import numpy as np
import pytest

from tf_darts.cli import modes as commands
from tf_darts.config import presets as config
from tf_darts.data.images import registry as images
from tf_darts.data.texts import registry as texts
from tf_darts.errors import UserError
from tf_darts.runs import testing
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.training.finished import FinishedTraining

SMALL = {
    "pydoc": {
        "units": 8,
        "batch_size": 8,
        "bptt": 8,
        "epochs": 3,
        "steps_per_epoch": 4,
        "evaluation_batch_size": 400,
        "test_batch_size": 300,
        "averaging_patience": 1,
        "learning_rate": 1.0,
    },
    "digits": {
        "channels": 2,
        "layers": 3,
        "batch_size": 16,
        "epochs": 2,
        "steps_per_epoch": 4,
        "train_examples": 160,
    },
}


def run(mode, **settings):
    made = config.configure({"mode": mode, **settings})
    commands.MODES[mode](made)


@contextlib.contextmanager
def opened(path):
    training = FinishedTraining.open(str(path))
    try:
        yield training
    finally:
        training.run.close()


@pytest.fixture(autouse=True)
def directories_are_let_go(monkeypatch):
    """A run holds its directory until its process ends; here that is too long."""
    held = []
    hold = RunDirectory._hold
    monkeypatch.setattr(RunDirectory, "_hold", lambda self, f: (held.append(self), hold(self, f)))
    monkeypatch.setattr(commands, "train", _closing(commands.train, held))
    for mode in ("train", "test"):
        monkeypatch.setitem(commands.MODES, mode, _closing(commands.MODES[mode], held))
    yield
    for one in held:
        one.close()


def _closing(function, held):
    def call(made):
        try:
            return function(made)
        finally:
            while held:
                held.pop().close()

    return call


@pytest.mark.slow
@pytest.mark.parametrize("dataset", SMALL)
def test_train_then_test(tmp_path, capsys, monkeypatch, dataset):
    read = []
    for module in (texts, images):
        load = module.load
        monkeypatch.setattr(
            module, "load", lambda *a, _load=load, **k: (read.append(k), _load(*a, **k))[1]
        )
    settings = {"dataset": dataset, "genotype": "darts_v2", "run_dir": str(tmp_path)}
    run("train", **settings, **SMALL[dataset])
    # The test part is not read before the test.
    assert [k.get("with_test") or k.get("part") == "test" for k in read] == [False]
    out = capsys.readouterr().out
    assert "The network has " in out and "multiply-adds" in out and "--mode=test" in out
    run("test", run_dir=str(tmp_path))
    first = capsys.readouterr().out
    assert any(k.get("with_test") or k.get("part") == "test" for k in read[1:])
    found = json.loads((tmp_path / "test.json").read_text())
    assert np.isfinite(found["scores"]["loss"]) and found["baseline_value"] > 0
    # The second time nothing is read, and the same is said after a line that says so.
    del read[:]
    run("test", run_dir=str(tmp_path))
    kept_line, again = capsys.readouterr().out.split("\n", 1)
    assert kept_line.startswith("The test was taken before") and not read
    assert first.endswith(again) and again.startswith("Test of ")
    kept = found["data"]["parts"]["test"]
    assert kept["number"] > 0 and len(kept["sha256"]) == 64


def test_what_cannot_be_tested(tmp_path):
    with pytest.raises(UserError, match="has no run in it"):
        FinishedTraining.open(str(tmp_path / "nothing"))
    assert not (tmp_path / "nothing").exists()
    settings = {"mode": "search", "dataset": "cifar10", "epochs": 50}
    RunDirectory(tmp_path / "search", settings).close()
    with pytest.raises(
        UserError, match=r"holds a search.*--mode=train --dataset=cifar10 --genotype=.*genotype"
    ):
        FinishedTraining.open(str(tmp_path / "search"))
    RunDirectory(tmp_path / "half", {"mode": "train", "epochs": 5}).close()
    with pytest.raises(UserError, match="has finished 0 of 5 epochs; go on"):
        FinishedTraining.open(str(tmp_path / "half"))


@pytest.mark.slow
def test_a_checkpoint_of_another_cell(tmp_path):
    settings = {"dataset": "digits", "genotype": "darts_v2", "run_dir": str(tmp_path)}
    run("train", **settings, **(SMALL["digits"] | {"epochs": 1, "steps_per_epoch": 1}))
    file = tmp_path / "config.json"
    document = json.loads(file.read_text())
    document["settings"]["cell"]["normal"][0] = ["dil_conv_5x5", 0]
    file.write_text(json.dumps(document))
    with pytest.raises(UserError, match="broken or of another model"):
        run("test", run_dir=str(tmp_path))


BROKEN = ["", "null", "[]", "3", '"text"', "{", "\0", '{"scores": 1, "scores": 1}']


@pytest.fixture
def finished(tmp_path):
    """A run directory that looks finished; nothing in it is ever computed with."""
    settings = {"mode": "train", "dataset": "pydoc", "cell": {}, "epochs": 1}
    RunDirectory(tmp_path, settings).close()
    documents = {
        "result.json": {"checkpoint": "checkpoints/best", "epoch": 1},
        "data.json": {"vocabulary": 3},
        "test.json": {"epoch": 1, "scores": {"loss": 1.5, "perplexity": 4.5}},
    }
    for name, document in documents.items():
        (tmp_path / name).write_text(json.dumps(document))
    return tmp_path


def test_a_test_that_was_taken_is_what_is_kept(finished, capsys):
    """Whatever data are given then, which is said."""
    assert run_test_of(finished, data_dir="other")["scores"] == {"loss": 1.5, "perplexity": 4.5}
    said = capsys.readouterr().out
    assert said.startswith("The test was taken before") and f"{finished / 'test.json'} has" in said


def run_test_of(path, **more):
    asked = {"mode": "test", "run_dir": str(path), **more}
    return testing.run_training_test(config.configure(asked))


@pytest.mark.parametrize(
    "content",
    [
        *BROKEN,
        "{}",
        '{"scores": {}}',
        '{"scores": null}',
        '{"scores": {"loss": "1"}}',
        '{"scores": {"loss": true}}',
        '{"scores": {"loss": 1}, "baseline": "word frequencies"}',
        '{"scores": {"loss": 1}, "unaveraged": 3}',
    ],
)
def test_a_broken_test_is_refused_and_not_taken_again(finished, monkeypatch, content):
    monkeypatch.setattr(testing, "training_test", None)  # whoever calls it takes the test
    (finished / "test.json").write_text(content)
    with pytest.raises(
        UserError, match=r"test\.json: cannot be read .*; the test is taken onc"
    ) as e:
        run_test_of(finished)
    assert "\n" not in str(e.value)
    assert (finished / "test.json").read_text() == content


@pytest.mark.parametrize("content", [*BROKEN, "{}", '{"checkpoint": 3}'])
def test_a_broken_result(finished, content):
    (finished / "result.json").write_text(content)
    for _ in range(2):  # the directory is let go
        with pytest.raises(UserError, match=r"result\.json: cannot be read .*; restore it") as e:
            FinishedTraining.open(str(finished))
        assert "\n" not in str(e.value)


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_description_of_the_data(finished, content):
    (finished / "data.json").write_text(content)
    with (
        opened(finished) as training,
        pytest.raises(UserError, match=r"data\.json: cannot be read .*; delete it, and") as e,
    ):
        _ = training.data
    assert "\n" not in str(e.value)


def test_an_image_set_is_described(finished):
    known = {"image_shape": [8, 8, 1], "mean": [1.0], "std": [2]}
    (finished / "data.json").write_text(json.dumps(known))
    with opened(finished) as training:
        assert training.data == known
    (finished / "data.json").unlink()
    with opened(finished) as training:
        assert training.data == {}


@pytest.mark.parametrize(
    "settings", [{"dataset": "pydoc"}, {"cell": {}}, {"cell": 1, "dataset": ""}]
)
def test_a_configuration_that_lacks_something(finished, settings):
    document = {"tf_darts": "0", "settings": {"mode": "train", **settings}}
    (finished / "config.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match=r"config\.json: cannot be read \(it names no "):
        FinishedTraining.open(str(finished))
