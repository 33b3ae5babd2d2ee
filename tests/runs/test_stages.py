"""Searches that follow one another as one run: killed anywhere, they end with the same bits.

The run is a real one, but for what it searches in and learns from: a toy, which takes no time.
"""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.support.toy_search import Killed, killed_before_every_step, without_time
from tf_darts.api import search
from tf_darts.cells import answers, genotype_files
from tf_darts.cells.topology import CellTopology
from tf_darts.errors import StateError, UserError
from tf_darts.methods.darts import StrongestEdges
from tf_darts.methods.progressive import ProgressiveShrinking
from tf_darts.runs import search as run_search
from tf_darts.runs.search_tasks import Network, SearchTask
from tf_darts.runs.stages import Stage
from tf_darts.runtime import checkpoint_files
from tf_darts.runtime.callback import Callback
from tf_darts.testing.toy_search import ToyNumbers, ToySupernet

SETTINGS = {
    "dataset": "ptb",
    "method": "darts_first",
    "rules": "progressive_shrinking",
    "stage_operations": "3/2",
    "stage_settings": "weight_learning_rate:0.01/0.02/0.01",
    "final_weight_learning_rate": 0.0,
    "batch_size": 4,
    "epochs": 2,
    "alpha_learning_rate": 0.1,
    "checkpoint_steps": 1,
}
STEPS = 12  # of all stages


class Toy(ToySupernet):
    """As many operations on an edge as its cells have."""

    def __init__(self, cells):
        super().__init__()
        self.cells = cells

    def _error(self, weights, mixing, batch, state):
        columns = tf.range(float(self.cells["cell"].columns), dtype=batch.dtype)
        prediction = weights[0][0] * tf.reduce_sum(mixing["cell"] * columns) / 36
        return tf.reduce_mean((batch - prediction - weights[0][1]) ** 2)


class Data(ToyNumbers):
    longest = 1

    def __init__(self):
        super().__init__(steps=2)


class Silent(Callback):
    def __init__(self, *_):
        pass


@pytest.fixture(scope="module")
def toy():
    def task(config, cells):
        return SearchTask(Toy(cells), Data(), ("nothing", 0.0), lambda cell: Network({}, {}))

    tf.config.run_functions_eagerly(True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_search, "search_task", task)
        patch.setattr(run_search, "record_or_check_data", lambda *_: None)
        patch.setattr(run_search, "search_memory", lambda *_: None)
        patch.setattr(run_search, "SearchReport", Silent)
        yield
    tf.config.run_functions_eagerly(False)


def searched(path):
    return search(**SETTINGS, run_dir=str(path))


def weights_of(path):
    """The last checkpoint's numbers by name."""
    prefix = checkpoint_files.saved(path / "checkpoints" / "latest")[0]
    reader = tf.train.load_checkpoint(str(prefix))
    names = [
        name for name in checkpoint_files.names(prefix) if "weights" in name or "alphas" in name
    ]
    return {name: reader.get_tensor(name) for name in names if "OBJECT" not in name}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, toy):
    path = tmp_path_factory.mktemp("stages") / "whole"
    return path, searched(path)


def check_same(path, run, whole):
    wanted_path, wanted = whole
    assert without_time(run.history) == without_time(wanted.history)
    assert run.cell == wanted.cell
    for stage in [*sorted(p.relative_to(wanted_path) for p in wanted_path.glob("stages/*")), ""]:
        ours, theirs = weights_of(path / stage), weights_of(wanted_path / stage)
        assert len(theirs) >= 2 and ours.keys() == theirs.keys()
        assert all((ours[name] == theirs[name]).all() for name in theirs), stage
    stages = [json.loads((p / "stages.json").read_text()) for p in (path, wanted_path)]
    for document in stages:
        for stage in document["stages"]:
            del stage["seconds_before"]
    assert stages[0] == stages[1]


def test_one_that_diverges_goes_on_as_the_sentence_says(toy, tmp_path, monkeypatch):
    """Its directory is no run that a command could be given."""
    monkeypatch.setattr(Data, "__init__", lambda self: ToyNumbers.__init__(self, [(1, 0)], 2))
    with pytest.raises(UserError, match=r"at step 3 .* repeat the command with --max_rollbacks=1 "):
        searched(tmp_path / "run")
    run = search(**SETTINGS, run_dir=str(tmp_path / "run"), max_rollbacks=1)
    assert [record["rollbacks"] for record in run.history] == [0, 1]


def test_a_rule_of_one_s_own_that_has_no_next_cells_is_a_sentence(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(ProgressiveShrinking, "__module__", "own")
    monkeypatch.setattr(ProgressiveShrinking, "cells_of_stage", lambda self, *_: {}["cell"])
    with pytest.raises(UserError, match=r"--rules=progressive_shrinking: its cells_of_stage fails"):
        searched(tmp_path / "run")


def test_a_derivation_of_one_s_own_that_needs_what_is_not_there_is_a_sentence(
    toy, tmp_path, monkeypatch
):
    monkeypatch.setattr(StrongestEdges, "__module__", "own")
    monkeypatch.setattr(StrongestEdges, "needed", lambda *_: {"cell": np.ones([99, 9], bool)})
    with pytest.raises(UserError, match=r"--derivation=strongest_edges: its needed fails"):
        searched(tmp_path / "run")


def test_a_known_answer_is_one_of_all_operations(toy, tmp_path, monkeypatch):
    """By chance an edge has the right one of those in the first stage, not of the few left."""
    asked = []
    monkeypatch.setattr(answers, "match_answer", lambda cell, names: asked.append(names))
    searched(tmp_path / "run")
    assert asked == [""] * 4  # each stage, and the run: all that the space has


def test_a_run_has_its_stages(whole):
    path, run = whole
    stages = json.loads((path / "stages.json").read_text())["stages"]
    assert [stage["settings"]["weight_learning_rate"] for stage in stages] == [0.01, 0.02, 0.01]
    for number, stage in enumerate(stages[1:], 1):
        lines = (path / "stages" / str(number) / "history.jsonl").read_text().splitlines()
        record = json.loads(lines[-1])
        before = stages[number - 1]["cells"]["cell"]["operations"]
        kept = [3, 2][number - 1]
        for edge, names in enumerate(stage["cells"]["cell"]["operations"]):
            of_edge = before if number == 1 else before[edge]
            table = np.array(record["mixing"]["cell"][edge])
            strongest = sorted(np.argsort(-table, kind="stable")[:kept])
            assert names == [of_edge[k] for k in strongest]
    assert np.array(run.history[-1]["mixing"]["cell"]).shape == (36, 2)
    topology = CellTopology.from_config(stages[-1]["cells"]["cell"])
    for node, edges in enumerate(run.cell.to_dict()["recurrent"]):
        name, source = edges
        assert name in topology.operations_of(topology.rows(node).start + source)
    seconds = [stage["seconds_before"] for stage in stages]
    assert 0.0 == seconds[0] < seconds[1] < seconds[2] < run.history[0]["seconds"]
    saved = json.loads((path / "genotype.json").read_text())["provenance"]
    assert saved["search_seconds"] == run.history[-1]["seconds"]
    assert saved["method"] == "darts_first+progressive_shrinking"
    assert genotype_files.load(path / "genotype.json") == run.cell


def test_killed_after_any_step_it_goes_on_in_its_stage(tmp_path, whole, monkeypatch):
    """Ten kills of one run: the ends of stages and the steps in them."""
    run = killed_before_every_step(monkeypatch, lambda: searched(tmp_path / "run"), STEPS)
    check_same(tmp_path / "run", run, whole)


def test_dr_nas_goes_on_in_its_stage_too(tmp_path, toy, monkeypatch):
    """Its parts, which draw in every step: two stages of four steps, alpha waits for two."""
    settings = SETTINGS | {"method": "dr_nas", "rules": "warm_up,progressive_shrinking"}
    settings |= {"warm_up_epochs": 1, "stage_operations": "3"}
    settings["stage_settings"] = "weight_learning_rate:0.01/0.02"

    def found(name):
        return search(**settings, run_dir=str(tmp_path / name))

    whole = found("whole")
    run = killed_before_every_step(monkeypatch, lambda: found("run"), 8)
    check_same(tmp_path / "run", run, (tmp_path / "whole", whole))
    assert len(list(tmp_path.glob("whole/stages/*"))) == 1
    provenance = json.loads((tmp_path / "run" / "genotype.json").read_text())["provenance"]
    assert provenance["method"] == "dr_nas+warm_up+progressive_shrinking"


@pytest.mark.parametrize("number", [1, 2])
def test_killed_between_two_stages(tmp_path, whole, monkeypatch, number):
    """The one before has its result, and the next has not begun; finished folders may be gone."""
    write = Stage.write

    def killed(self, run):
        if self.number > number:
            raise Killed
        write(self, run)

    with monkeypatch.context() as patch:
        patch.setattr(Stage, "write", killed)
        with pytest.raises(Killed):
            searched(tmp_path / "run")
    run = searched(tmp_path / "run")
    check_same(tmp_path / "run", run, whole)


def test_a_finished_run_needs_no_earlier_stage(tmp_path, whole):
    path, run = whole
    copy = shutil.copytree(path, tmp_path / "copy")
    shutil.rmtree(copy / "stages")
    assert searched(copy).cell == run.cell and not (copy / "stages").exists()


@pytest.mark.parametrize("text", ["[]", '{"stages": []}', '{"stages": [{"cells": 3}]}', "{"])
def test_a_broken_file_is_a_sentence(tmp_path, text):
    (tmp_path / "stages.json").write_text(text)
    with pytest.raises(StateError, match=r"stages\.json.*restore it from a copy"):
        searched(tmp_path)
