"""More epochs of a training: where nothing that is computed depends on how many there are."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.config.given_cell import find_cell
from tf_darts.config.presets import configure
from tf_darts.errors import StateError
from tf_darts.runs.testing import run_training_test
from tf_darts.runs.training import run_training
from tf_darts.runtime.signals import Stopped, StopRequest

TEXT = {
    "mode": "train",
    "dataset": "text",
    "genotype": "darts_v2",
    "accelerate": "off",  # where nothing is compiled, the clear forms are the fast ones
    "units": 8,
    "bptt": 8,
    "batch_size": 2,
    "evaluation_batch_size": 20,
    "steps_per_epoch": 3,
    "learning_rate": 5.0,
    "averaging_patience": 1,
}
DIGITS = {
    "mode": "train",
    "dataset": "digits",
    "genotype": "darts_v2",
    "channels": 4,
    "layers": 3,
    "train_examples": 64,
    "validation_examples": 32,
    "batch_size": 32,
    "steps_per_epoch": 1,
}

# How a run is gone on with is the matter; compiled ones are gone on with in test_engine.py.
pytestmark = [
    pytest.mark.usefixtures("eagerly", "uncounted", "undrawn"),
    pytest.mark.filterwarnings(
        "ignore:Even though:UserWarning"
    ),  # pipelines are compiled all the same
]

# Of a checkpoint, what the clock and the number of stops decide.
UNLIKE = ("seconds", "history", "save_counter", "OBJECT_GRAPH")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    words = [
        "the",
        "cat",
        "sat",
        "on",
        "the",
        "mat",
        "and",
        "the",
        "dog",
        "on",
        "the",
        "cat",
        "while",
        "it",
        "ate",
    ]
    for seed, part in enumerate(("train", "valid", "test")):
        drawn = np.random.default_rng(seed).choice(words, 400)
        (folder / f"{part}.txt").write_text("\n".join(" ".join(w) for w in drawn.reshape(40, 10)))
    return folder


def train(directory, settings, stop=None, **others):
    config = configure({**settings, "run_dir": str(directory), **others})
    return run_training(config, find_cell(config), StopRequest() if stop is None else stop)


def state(directory):
    """All that a training leaves, but for the clock's readings."""
    history = [json.loads(line) for line in (directory / "history.jsonl").read_text().splitlines()]
    result = json.loads((directory / "result.json").read_text())
    for record in (*history, result):
        record.pop("seconds")
    values = {}
    for name in ("latest", "best"):
        reader = tf.train.load_checkpoint(str(directory / "checkpoints" / name))
        for variable in reader.get_variable_to_shape_map():
            if not any(name in variable for name in UNLIKE):
                values[name, variable] = np.asarray(reader.get_tensor(variable)).tobytes()
    return history, result, values


class StopAt(StopRequest):
    """Is set after so many questions, one a step."""

    def __init__(self, steps):
        super().__init__()
        self._left = steps

    def __bool__(self):
        self._left -= 1
        if self._left < 0:
            self.signal_number = 15
        return super().__bool__()


@pytest.mark.slow
def test_a_text_training_that_is_extended_is_one_that_was_longer(text, tmp_path):
    settings = TEXT | {"data_dir": str(text)}
    train(tmp_path / "whole", settings, epochs=5)
    train(tmp_path / "extended", settings, epochs=1)
    with pytest.raises(Stopped):
        train(tmp_path / "extended", settings, StopAt(4), epochs=5)
    assert not (tmp_path / "extended" / "result.json").exists(), "it has not finished any more"
    with pytest.raises(StateError, match="epochs was 5 and is now 1, but a run can only be"):
        train(tmp_path / "extended", settings, epochs=1)
    train(tmp_path / "extended", settings, epochs=5)
    whole, extended = state(tmp_path / "whole"), state(tmp_path / "extended")
    assert extended[:2] == whole[:2]
    assert extended[2] == whole[2] and len(whole[2]) > 20
    assert any(record["averaged"] for record in whole[0]), "averaging goes on too"
    config = json.loads((tmp_path / "extended" / "config.json").read_text())
    assert config["settings"]["epochs"] == 5


@pytest.mark.slow
def test_with_other_data_it_is_refused_and_nothing_is_lost(text, tmp_path):
    words = shutil.copytree(text, tmp_path / "words")
    settings = TEXT | {"data_dir": str(words)}
    train(tmp_path / "run", settings, epochs=1)
    kept = words / "kept.txt"
    (words / "train.txt").rename(kept)
    first, *rest = kept.read_text().splitlines(keepends=True)
    (words / "train.txt").write_text("".join([*rest, "\n", first]))
    with pytest.raises(StateError, match="these are not the data that this run learnt from"):
        train(tmp_path / "run", settings, epochs=2)
    assert (tmp_path / "run" / "result.json").exists()
    kept.rename(words / "train.txt")
    assert train(tmp_path / "run", settings, epochs=1).result["epoch"] == 1


@pytest.mark.slow
def test_after_the_test_it_is_not_extended(text, tmp_path):
    settings = TEXT | {"data_dir": str(text)}
    train(tmp_path / "run", settings, epochs=1)
    run_training_test(
        configure({"mode": "test", "run_dir": str(tmp_path / "run"), "data_dir": str(text)})
    )
    before = {file: file.read_bytes() for file in (tmp_path / "run").glob("*.json")}
    with pytest.raises(StateError, match="the test of this training was taken already"):
        train(tmp_path / "run", settings, epochs=2)
    assert {file: file.read_bytes() for file in (tmp_path / "run").glob("*.json")} == before
    train(tmp_path / "another", settings, epochs=2)  # as the sentence advises


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "its learning rate falls to 0 over exactly the epochs that it began with"),
        ({"schedule": "cosine_by_step"}, "its learning rate falls to 0 over exactly the epochs"),
        ({"schedule": "exponential"}, "its rate of dropped paths rises over exactly the epochs"),
    ],
)
def test_what_depends_on_the_number_of_epochs_is_not_extended(tmp_path, settings, words):
    config = configure(DIGITS | settings | {"run_dir": str(tmp_path), "epochs": 2})
    assert words in config.why_no_more_epochs


@pytest.mark.slow
def test_images_at_an_exponential_rate_are_extended_and_at_a_cosine_refused(tmp_path):
    exponential = DIGITS | {"schedule": "exponential", "drop_path": 0.0}
    train(tmp_path / "whole", exponential, epochs=2)
    train(tmp_path / "extended", exponential, epochs=1)
    train(tmp_path / "extended", exponential, epochs=2)
    assert state(tmp_path / "extended") == state(tmp_path / "whole")
    train(tmp_path / "cosine", DIGITS, epochs=1)
    with pytest.raises(
        StateError, match="epochs was 1 and is now 2, but its learning rate"
    ) as told:
        train(tmp_path / "cosine", DIGITS, epochs=2)
    assert "give another directory" in str(told.value)
    assert (tmp_path / "cosine" / "result.json").exists()
