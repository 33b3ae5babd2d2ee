"""The recipes of docs/callbacks.md with the real packages, offline and at toy size.

A recipe is run as it stands there, only that its search or training is of the smallest space, whose
sizes are not those of the document. Where a package is not installed its recipe is skipped: none is
a dependency of ours.
"""

import json

import pytest

import tf_darts
from tests.support.paths import ROOT
from tests.test_documents import blocks, is_python

pytestmark = [
    pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning"),
    # These packages warn of themselves.
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(not (ROOT / "docs").exists(), reason="the documents are not there"),
]

PAGE = ROOT / "docs" / "callbacks.md"
SMALL = {
    "space": "planted",
    "channels": 1,
    "image_size": 8,
    "batch_size": 8,
    "epochs": 2,
    "steps_per_epoch": 2,
    "train_examples": 64,
    "validation_examples": 20,
}


@pytest.fixture
def run(tmp_path, monkeypatch, eagerly):
    """Runs the recipe that imports a package; returns the names that it leaves."""
    search, train = tf_darts.search, tf_darts.train

    def small(settings):
        assert settings.pop("layers") == 3
        return settings | SMALL

    def searched(**settings):
        settings = small(settings)
        del settings["validation_examples"]
        return search(**settings)

    def trained(cell, **settings):
        settings = small(settings)
        del settings["space"]
        return train(tf_darts.PUBLISHED["planted"]["planted"], **settings)

    monkeypatch.setattr(tf_darts, "search", searched)
    monkeypatch.setattr(tf_darts, "train", trained)
    monkeypatch.chdir(tmp_path)

    def recipe(package, **replaced):
        (block,) = (b for b in filter(is_python, blocks(PAGE)) if f"import {package}\n" in b)
        for old, new in replaced.values():
            assert old in block
            block = block.replace(old, new)
        names = {}
        exec(compile(block, PAGE.name, "exec"), names)
        return names

    return recipe


def records(path):
    lines = (path / "history.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_page_is_short():
    assert len(PAGE.read_text("utf-8").split()) <= 800


def test_mlflow(run, tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")
    pytest.importorskip("sqlalchemy", reason="MLflow has no SQLAlchemy to write a file with")
    names = run("mlflow")
    (found,) = mlflow.MlflowClient().search_runs(["0"])
    last = records(tmp_path / "runs" / "mlflow")[-1]
    metrics = found.data.metrics
    assert metrics["validation_accuracy"] == pytest.approx(last["validation_accuracy"])
    assert last["monitors"] and last["monitors"].keys() <= metrics.keys()
    history = mlflow.MlflowClient().get_metric_history(found.info.run_id, "train_loss")
    assert [point.step for point in history] == [2, 4]
    assert found.data.params["space"] == "planted" and found.data.tags["cell"] == last["cell"]
    assert found.data.tags["activity"] == "search" and found.info.status == "FINISHED"
    plots = mlflow.MlflowClient().list_artifacts(found.info.run_id, "plots")
    assert "plots/cell.png" in {file.path for file in plots}
    # The same run of MLflow where the run directory goes on, which ends it another way.
    callback = names["MLflow"]()
    callback.on_run("search", tmp_path / "runs" / "mlflow")
    callback.on_end()
    (same,) = mlflow.MlflowClient().search_runs(["0"])
    assert same.info.run_id == found.info.run_id and same.info.status == "KILLED"


def test_wandb(run, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb", reason="Weights & Biases is not installed")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "settings"))
    logged = []
    log = wandb.Run.log
    monkeypatch.setattr(
        wandb.Run, "log", lambda self, data: (logged.append(dict(data)), log(self, data))[1]
    )
    names = run("wandb")
    path = tmp_path / "runs" / "wandb"
    (offline,) = (path / "wandb").glob("offline-run-*")
    assert list(offline.glob("run-*.wandb"))
    history = records(path)
    assert [values["step"] for values in logged] == [2, 4]
    assert logged[-1]["validation_accuracy"] == history[-1]["validation_accuracy"]
    assert history[-1]["monitors"] and history[-1]["monitors"].keys() <= logged[-1].keys()
    assert names["WandB"] and wandb.run is None, "it was finished"


def test_optuna(run, tmp_path):
    optuna = pytest.importorskip("optuna", reason="Optuna is not installed")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    class SecondEpoch(optuna.pruners.BasePruner):
        """Prunes the second trial, at its first epoch."""

        def prune(self, study, trial):
            return trial.number == 1

    optuna.pruners.SecondEpoch = SecondEpoch
    names = run(
        "optuna",
        trials=("n_trials=20", "n_trials=2"),
        pruner=("pruners.MedianPruner", "pruners.SecondEpoch"),
    )
    first, second = names["study"].trials
    states = optuna.trial.TrialState
    assert (first.state, second.state) == (states.COMPLETE, states.PRUNED)
    folders = [tmp_path / "runs" / "optuna" / str(number) for number in (0, 1)]
    history = records(folders[0])
    told = {record["epoch"]: record["validation_accuracy"] for record in history}
    assert first.intermediate_values == told and len(told) == 2
    assert first.value == max(told.values())
    assert list(second.intermediate_values) == [1]
    assert not (folders[1] / "result.json").exists(), "it was ended on its way"
    assert (folders[1] / "checkpoints").is_dir()
