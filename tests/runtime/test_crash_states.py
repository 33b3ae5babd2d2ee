"""kill -9 anywhere: from every state that it leaves on the disk, a run comes to the same end."""

import contextlib
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.support import toy_search, toy_training
from tests.support.crash_states import crash_states
from tests.support.toy_search import Events, without_time
from tf_darts.bilevel.engine import SearchEngine
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import StopRequest
from tf_darts.spaces.convolutional.settings import ConvolutionalTrainingConfig
from tf_darts.training.engine import TrainingEngine


@pytest.fixture(autouse=True)
def eagerly():
    """Hundreds of runs of a few steps each: not worth a graph."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def diverging(numbers, poisoned):
    """Numbers of which one batch is NaN until the run has rolled back for it."""

    class Diverging(numbers):
        def epoch(self, epoch, start_step=0):
            rollbacks = int(self.engine._rollbacks)
            self.poison = poisoned[rollbacks : rollbacks + 1]
            return super().epoch(epoch, start_step)

    return Diverging()


def search(path, checkpoint_steps):
    data = diverging(toy_search.Numbers, [(1, 2)])
    config = toy_search.config(
        epochs=2, checkpoint_steps=checkpoint_steps, max_rollbacks=1, hypergradient="first_order"
    )
    with contextlib.closing(RunDirectory(path, {"epochs": 2})) as run:
        engine = data.engine = SearchEngine(config, toy_search.Toy(), data, run, [Events()])
        history = engine.search(StopRequest())
    return history, path / "checkpoints" / "latest"


def train(path, checkpoint_steps):
    # Best after the first epoch and the third; the fourth diverges, and goes back to the third.
    targets = [3.0, 9.0, 2.9, 9.0]
    data = diverging(toy_training.Numbers, [(1, 3), (3, 2)])
    data.targets = targets
    config = ConvolutionalTrainingConfig(
        genotype="darts_v2",
        epochs=4,
        batch_size=4,
        learning_rate=0.05,
        momentum=0.9,
        weight_decay=1e-4,
        checkpoint_steps=checkpoint_steps,
        max_rollbacks=2,
    )
    with contextlib.closing(RunDirectory(path, {"epochs": 4})) as run:
        engine = data.engine = TrainingEngine(config, toy_training.Toy(), data, run, [Events()])
        engine.train(StopRequest())
        history = run.read_history()
    return history, path / "checkpoints" / "best"


def content(checkpoints):
    """The tensors of the checkpoint in a folder, but for the time that the run took."""
    (prefix,) = checkpoints.glob("*.index") if checkpoints.name == "best" else newest(checkpoints)
    reader = tf.train.load_checkpoint(str(prefix.with_suffix("")))
    left_out = ("seconds", "history", "_CHECKPOINTABLE")
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if not name.startswith(left_out)
    }


def newest(checkpoints):
    return [max(checkpoints.glob("*.index"), key=lambda file: int(file.stem.split("-")[1]))]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "checkpoint_steps", "every", "at_least"),
    [
        (search, 5, 7, 40),
        (train, 5, 13, 60),
        *(
            pytest.param(run, steps, 1, at_least, marks=pytest.mark.long)
            for run, steps, at_least in (
                (search, 5, 60),
                (train, 5, 100),
                (search, 2, 60),
                (train, 3, 100),
            )
        ),
    ],
)
def test_every_state_goes_on_to_the_same_end(tmp_path, run, checkpoint_steps, every, at_least):
    path = tmp_path / "run"
    with crash_states(path, tmp_path / "states") as states:
        history, checkpoints = run(path, checkpoint_steps)
    assert len(states) >= at_least, len(states)
    print(len(states), "states")
    expected = content(checkpoints)
    files = {file.name for file in path.iterdir()}
    for state in states[::every]:
        before = sorted(str(file.relative_to(state)) for file in state.rglob("*"))
        shutil.rmtree(path)
        shutil.copytree(state, path)
        resumed, checkpoints = run(path, checkpoint_steps)
        assert without_time(resumed) == without_time(history), before
        found = content(checkpoints)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=f"{name} from {before}")
        assert {file.name for file in path.iterdir()} == files, "nothing is left behind"
        assert not list(pathlib.Path(path).rglob("*.partial"))
