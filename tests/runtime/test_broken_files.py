"""Every file of a run, broken in every way: one sentence, or the run comes to the same end."""

import functools
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.support import toy_search, toy_training
from tests.support.broken_files import BREAKS, copied, one_sentence_or_nothing
from tests.support.toy_search import Events, Killed, without_time


@pytest.fixture(autouse=True, scope="module")
def eagerly():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, eagerly):
    """By name: a run, how it is gone on with, and what its history is in the end."""
    folder = tmp_path_factory.mktemp("runs")
    search = functools.partial(toy_search.search, hypergradient="first_order")
    train = toy_training.train
    found = {}
    for name, run in (("search", search), ("training", train)):
        *_, history = run(folder / f"{name}_finished")
        with pytest.raises(Killed):
            run(folder / f"{name}_half", Events(kill_at=13))
        for half in ("finished", "half"):
            path = folder / f"{name}_{half}"
            found[path.name] = (path, run, without_time(history))
    return found


NAMES = ("search_half", "search_finished", "training_half", "training_finished")
FILES = (
    "config.json",
    "history.jsonl",
    "genotype.json",
    "result.json",
    "checkpoints/latest/checkpoint",
    "checkpoints/latest/*.index",
    "checkpoints/latest/*.data-00000-of-00001",
    "checkpoints/*/*.index",
)
# What must be refused: a run cannot be what it was without it.
REFUSED = {"config.json", "checkpoints/*/*.index"}


# One loop writes the files of both: half a search stands for half a training here.
@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.long) if n == "training_half" else n for n in NAMES]
)
@pytest.mark.parametrize("file", FILES)
def test_one_sentence_or_the_same_end(tmp_path, runs, name, file):
    source, run, history = runs[name]
    if not list(source.glob(file)):
        pytest.skip(f"{name} has no {file}")
    for how, break_it in BREAKS.items():
        path = copied(source, tmp_path / "run")
        for broken in list(path.glob(file)):
            break_it(broken)
        with one_sentence_or_nothing(path) as said:
            *_, found = run(path)
            assert without_time(found) == history, how
            assert not (name.endswith("half") and file in REFUSED), f"{how}: went on"
        if said:
            broken = file.split("/")[0].split("*")[0]
            assert broken in said[0], said[0]


@pytest.mark.parametrize("name", ("search_half", "training_half"))
@pytest.mark.parametrize("file", ("latest", "*", ".."))
def test_folders_of_checkpoints_that_are_files_or_gone(tmp_path, runs, name, file):
    source, run, history = runs[name]
    for how in ("a file", "gone"):
        path = copied(source, tmp_path / "run")
        folders = [path / "checkpoints"] if file == ".." else (path / "checkpoints").glob(file)
        for folder in list(folders):
            shutil.rmtree(folder)
            if how == "a file":
                folder.write_text("")
        with one_sentence_or_nothing(path) as said:
            *_, found = run(path)
            assert without_time(found) == history
        assert bool(said) == (file != "latest" or how == "a file"), (how, said)


def test_what_is_gone_on_with_is_the_same_to_the_bit(tmp_path, runs):
    source, run, _ = runs["search_half"]
    path = copied(source, tmp_path / "run")
    BREAKS["cut"](next((path / "checkpoints" / "latest").glob("ckpt-12.data*")))
    alpha, weights, _ = run(path)
    whole_alpha, whole_weights, _ = run(tmp_path / "whole")
    np.testing.assert_array_equal(alpha, whole_alpha)
    np.testing.assert_array_equal(weights, whole_weights)
