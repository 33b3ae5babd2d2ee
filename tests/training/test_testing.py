"""Chaining by files: a training's directory is tested once; what cannot be tested says so."""

import contextlib
import json

import numpy as np
import pytest

from tf_darts import commands, config
from tf_darts.data import images, text
from tf_darts.errors import UserError
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.training.testing import FinishedTraining

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
    for module in (text, images):
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
    # The second time nothing is read, and the same is said.
    del read[:]
    run("test", run_dir=str(tmp_path))
    assert capsys.readouterr().out == first and not read


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
