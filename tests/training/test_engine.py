"""The loop of a training, on a tiny network of its own."""

import contextlib
import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support.toy_search import Events, Killed, without_time
from tests.support.toy_training import Numbers, Toy, train
from tf_darts.data.batches import TrainingBatch
from tf_darts.errors import UserError
from tf_darts.runtime.callback import Callback
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import Stopped, StopRequest
from tf_darts.spaces.convolutional.settings import ConvolutionalTrainingConfig
from tf_darts.spaces.objective import TrainingLoss
from tf_darts.spaces.recurrent.settings import RecurrentTrainingConfig
from tf_darts.training.engine import TrainingEngine


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return train(tmp_path_factory.mktemp("whole"))


def assert_same(first, second):
    for one, other in zip(first[0], second[0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert without_time(first[2]) == without_time(second[2])


def test_it_learns_and_says_which_epoch_counts(tmp_path):
    _, result, history = train(tmp_path)
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    assert history[-1]["train_error"] < history[0]["train_error"]
    best = min(history, key=lambda record: record["validation_error"])
    assert result == {"checkpoint": "checkpoints/best", **best, "epochs": 4}
    assert json.loads((tmp_path / "result.json").read_text()) == result
    (kept,) = (tmp_path / "checkpoints" / "best").glob("*.index")
    assert kept.stem == f"ckpt-{best['step']}"


@pytest.mark.parametrize("step", [1, 2, 5, 6, 9, 10, 15, 20])
def test_killed_at_any_step_it_goes_on_exactly(tmp_path, uninterrupted, step):
    with pytest.raises(Killed):
        train(tmp_path, Events(kill_at=step))
    data = Numbers()
    assert_same(train(tmp_path, data=data), uninterrupted)
    assert len(data.served) < 20 or step <= 2


def test_stopped_it_saves_the_step_it_finished(tmp_path, uninterrupted):
    stop = StopRequest()
    with pytest.raises(Stopped, match=r"step 7 \(epoch 2 of 4\).*same command"):
        train(tmp_path, Events(stop_at=7, stop=stop), stop=stop)
    data = Numbers()
    assert_same(train(tmp_path, data=data), uninterrupted)
    assert data.served[0] == (1, 2)


def test_divergence_goes_back_to_the_best(tmp_path):
    # Validation is best in the second epoch; the third step of the fourth spoils the weights.
    targets, events = [9.0, 3.0, 9.0, 9.0], Events()
    _, result, history = train(tmp_path, events, Numbers([(3, 2)], targets), max_rollbacks=1)
    assert ("rollback", 10) in [event[:2] for event in events.seen]
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    assert [record["rollbacks"] for record in history] == [0, 0, 1, 1]
    assert result["epoch"] == 2


def test_divergence_without_leave_to_go_back(tmp_path):
    with pytest.raises(UserError, match=r"The training diverged at step 8.*--learning_rate"):
        train(tmp_path, data=Numbers([(1, 2)]))


def test_without_validation_the_last_weights_count(tmp_path):
    _, result, history = train(tmp_path, data=Numbers(validates=False))
    assert result["checkpoint"] == "checkpoints/epoch" and result["epoch"] == 4
    assert not any("validation_error" in record for record in history)
    (kept,) = (tmp_path / "checkpoints" / "epoch").glob("*.index")
    assert kept.stem == "ckpt-20"


@pytest.mark.parametrize(
    ("overrides", "rates"),
    [
        ({}, [0.05, 0.05 * (1 + 0.5**0.5) / 2, 0.025, 0.05 * (1 - 0.5**0.5) / 2]),
        (
            {"schedule": "exponential", "learning_rate_decay": 0.5},
            [0.05, 0.025, 0.0125, 0.00625],
        ),
        ({"kind": RecurrentTrainingConfig, "momentum": 0.0}, [0.05] * 4),
    ],
)
def test_rates(tmp_path, overrides, rates):
    _, _, history = train(tmp_path, **overrides)
    np.testing.assert_allclose([record["learning_rate"] for record in history], rates)


def test_a_cosine_may_fall_from_step_to_step(tmp_path):
    class Rates(Callback):
        """Collects each step's learning rate."""

        def __init__(self):
            self.seen = []

        def on_step(self, step, metrics):
            self.seen.append(metrics["learning_rate"])

    rates = Rates()
    stop = StopRequest()
    with pytest.raises(Stopped):
        train(tmp_path, Events(stop_at=7, stop=stop), stop=stop, schedule="cosine_by_step")
    _, _, history = train(tmp_path, rates, schedule="cosine_by_step")
    steps = np.arange(20)
    want = 0.025 * (1 + np.cos(np.pi * steps / 20))
    np.testing.assert_allclose(rates.seen, want[7:])  # resumed: in the middle of an epoch
    np.testing.assert_allclose([record["learning_rate"] for record in history], want[::5])


def average_run(path, **kwargs):
    """Validation gets worse in the third epoch, so the fourth averages."""
    options = dict(
        data=Numbers(targets=[3.0, 3.0, 9.0, 3.0, 3.0]),
        kind=RecurrentTrainingConfig,
        averaging_patience=1,
        momentum=0.0,
        epochs=5,
    )
    return train(path, **(options | kwargs))


def test_averaging_starts_where_validation_gets_worse(tmp_path):
    _, _, history = average_run(tmp_path)
    assert [record["averaged"] for record in history] == [False, False, False, True, True]
    assert "validation_unaveraged_error" not in history[2]
    for record in history[3:]:
        assert record["validation_unaveraged_error"] != record["validation_error"]


def test_the_average_is_the_mean_of_the_weights_after_each_step(tmp_path):
    class Weights(Callback):
        """Collects the weight after each step of the last two epochs."""

        def __init__(self):
            self.values = []

        def on_step(self, step, metrics):
            if step > 15:
                self.values.append(float(self.engine._step.objective.model.slope[0]))

    watcher = Weights()
    run = RunDirectory(tmp_path, {})
    config = RecurrentTrainingConfig(
        genotype="darts_v2", epochs=5, batch_size=4, learning_rate=0.05, averaging_patience=1
    )
    data = Numbers(targets=[3.0, 3.0, 9.0, 3.0, 3.0])
    watcher.engine = TrainingEngine(config, Toy(), data, run, [watcher])
    with contextlib.closing(run):
        watcher.engine.train(StopRequest())
    assert len(watcher.values) == 10
    average = watcher.engine._step.average
    np.testing.assert_allclose(average.values[0].numpy()[0], np.mean(watcher.values), rtol=1e-5)
    assert int(average.count) == 10


@pytest.mark.parametrize("step", [14, 16, 18, 21])
def test_killed_while_averaging_it_goes_on_exactly(tmp_path, step):
    whole = average_run(tmp_path / "whole")
    with pytest.raises(Killed):
        average_run(tmp_path / "killed", events=Events(kill_at=step))
    data = Numbers(targets=[3.0, 3.0, 9.0, 3.0, 3.0])
    assert_same(average_run(tmp_path / "killed", data=data), whole)


def test_one_step_is_the_formula(tmp_path):
    class Silent(Toy):
        def loss(self, batch, state, seed, progress):
            slope = tf.convert_to_tensor(self.model.slope)
            loss = tf.reduce_mean((batch - slope) ** 2)
            return TrainingLoss(loss, {"loss": loss}, state)

    class Once(Numbers):
        def steps(self, epoch):
            return 2

        def epoch(self, epoch, start_step=0):
            for step in range(start_step, 2):
                yield TrainingBatch(np.float32([9.0, 11.0]), 0.5, step == 0)

    config = ConvolutionalTrainingConfig(
        genotype="darts_v2",
        epochs=1,
        batch_size=2,
        learning_rate=0.1,
        momentum=0.9,
        weight_decay=0.01,
        clip_norm=6.0,
    )
    with contextlib.closing(RunDirectory(tmp_path, {})) as run:
        engine = TrainingEngine(config, Silent(), Once(), run, [])
        engine.train(StopRequest())
    weight, velocity = 1.0, 0.0
    for _ in range(2):
        gradient = 2 * (weight - 10.0)
        clipped = gradient * min(1.0, 6.0 / (abs(gradient) + 1e-6))
        velocity = 0.9 * velocity + clipped + 0.01 * weight
        weight -= 0.05 * velocity
    np.testing.assert_allclose(engine._step.objective.model.slope.numpy()[0], weight, rtol=1e-6)
