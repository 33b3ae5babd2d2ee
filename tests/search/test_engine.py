"""The loop on a space of its own, tiny and quadratic: `search/` knows no space."""

import json
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_darts import genotype
from tf_darts.configuration.search import SearchConfig
from tf_darts.data.batches import SearchBatch
from tf_darts.errors import UserError
from tf_darts.runtime.observer import Observer
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import Stopped, StopRequest
from tf_darts.search.engine import SearchEngine
from tf_darts.spaces.supernet import Evaluation, LossResult, Supernet
from tf_darts.spaces.topology import CellTopology

OPERATIONS = genotype.RECURRENT_PRIMITIVES


class Toy(Supernet):
    """Fits a number by Σ_k p_k·k·w; its state counts batches and enters the loss."""

    genotype_class = genotype.RecurrentGenotype
    measures = ("loss",)
    score = "error"
    score_mode = "min"

    def __init__(self):
        self.cells = {"cell": CellTopology(1, 2, 1, OPERATIONS)}
        self._weights = [keras.Variable([0.5, -0.5], name="w")]
        self._statistics = [keras.Variable(0.0, trainable=False, name="mean")]

    weights = property(lambda self: self._weights)
    statistics = property(lambda self: self._statistics)
    regularizes = True
    batch_signature = property(lambda self: tf.TensorSpec([None], tf.float32))

    def initial_state(self, batch_size):
        return tf.zeros([batch_size])

    def _error(self, weights, mixing, batch, state):
        strength = tf.reduce_sum(mixing["cell"] * tf.range(5.0))
        prediction = weights[0][0] * strength + weights[0][1]
        return tf.reduce_mean((batch - prediction) ** 2) + 0.01 * tf.reduce_mean(state)

    def loss(self, weights, mixing, batch, state, seed, *, regularized=False):
        noise = 0.1 * tf.random.stateless_normal([], seed)
        loss = self._error(weights, mixing, batch + noise, state)
        penalty = 0.001 * tf.reduce_sum(weights[0] ** 2) if regularized else 0.0
        mean = 0.9 * tf.convert_to_tensor(self._statistics[0]) + 0.1 * loss
        return LossResult(loss + penalty, {"loss": loss}, state + 1.0, [tf.stop_gradient(mean)])

    def evaluate(self, mixing, batch, state):
        weights = [tf.convert_to_tensor(self._weights[0])]
        count = tf.cast(tf.size(batch), tf.float32)
        loss = self._error(weights, mixing, batch, 0.0 * state)
        return Evaluation({"loss": loss * count}, count, state + 1.0)

    def scores(self, means):
        return {"loss": means["loss"], "error": means["loss"]}


class Numbers:
    """Five batches an epoch; `poison` makes one batch NaN as long as it is in there."""

    evaluation_batch_size = 3

    def __init__(self, poison=()):
        self.poison = list(poison)
        self.served = []

    def steps(self, epoch):
        return 5

    def epoch(self, epoch, start_step=0):
        for step in range(start_step, 5):
            random = np.random.default_rng([epoch, step])
            train, validation = random.normal(1.0, 0.1, (2, 4)).astype(np.float32)
            self.served.append((epoch, step))
            if (epoch, step) in self.poison:
                self.poison.remove((epoch, step))
                train = train * np.nan
            yield SearchBatch(train, validation, 1.0, step == 0)

    def evaluation(self):
        for i in range(2):
            yield np.float32([1.0, 1.1, 0.9 + i])


class Killed(BaseException):
    """Stands for kill -9: nobody catches it, nothing is saved."""


class Events(Observer):
    def __init__(self, kill_at=None, stop_at=None, stop=None):
        self.seen, self.kill_at, self.stop_at, self.stop = [], kill_at, stop_at, stop

    def on_step(self, step, metrics):
        self.seen.append(("step", step))
        self.metrics = metrics
        if step == self.kill_at:
            raise Killed
        if step == self.stop_at:
            self.stop.receive(signal.SIGTERM, None)

    def on_rollback(self, step, reason):
        self.seen.append(("rollback", step, reason))

    def on_epoch(self, record, history):
        self.seen.append(("epoch", record["epoch"]))

    def on_end(self):
        self.seen.append(("end",))


def config(**overrides):
    settings = dict(
        dataset="ptb",
        epochs=3,
        batch_size=4,
        weight_learning_rate=0.01,
        final_weight_learning_rate=0.001,
        momentum=0.9,
        alpha_learning_rate=0.1,
        checkpoint_steps=2,
    )
    return SearchConfig(**(settings | overrides))


def search(path, events=None, data=None, stop=None, **overrides):
    run = RunDirectory(path, {})
    try:
        engine = SearchEngine(
            config(**overrides), Toy(), data or Numbers(), run, [events or Events()]
        )
        history = engine.search(StopRequest() if stop is None else stop)
        alpha = engine._step.alphas["cell"].numpy()
        weights = engine._step.supernet.weights[0].numpy()
        return alpha, weights, history
    finally:
        run.close()


def without_time(history):
    return [{k: v for k, v in record.items() if k != "seconds"} for record in history]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return search(tmp_path_factory.mktemp("whole"))


def test_a_search_learns_and_leaves_its_files(tmp_path, uninterrupted):
    events = Events()
    alpha, _, history = search(tmp_path, events)
    np.testing.assert_array_equal(alpha, uninterrupted[0])
    assert [r["epoch"] for r in history] == [1, 2, 3]
    assert history[-1]["train_error"] < history[0]["train_error"]
    assert history[-1]["step"] == 15
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == history
    cell = genotype.load(tmp_path / "genotype.json")
    assert cell.to_dict() == history[-1]["genotype"]
    found_by = json.loads((tmp_path / "genotype.json").read_text())["found_by"]
    assert found_by["supernet"]["validation_error"] == history[-1]["validation_error"]
    assert [e for e in events.seen if e[0] != "step"] == [
        ("epoch", 1),
        ("epoch", 2),
        ("epoch", 3),
        ("end",),
    ]


@pytest.mark.parametrize("step", [1, 2, 3, 5, 6, 9, 10, 14, 15])
def test_killed_at_any_step_the_run_goes_on_exactly(tmp_path, uninterrupted, step):
    with pytest.raises(Killed):
        search(tmp_path, Events(kill_at=step))
    data = Numbers()
    alpha, weights, history = search(tmp_path, data=data)
    np.testing.assert_array_equal(alpha, uninterrupted[0])
    np.testing.assert_array_equal(weights, uninterrupted[1])
    assert without_time(history) == without_time(uninterrupted[2])
    assert len(data.served) < 15 or step <= 2, "it went on, it did not begin again"


def test_killed_twice_and_stopped_once(tmp_path, uninterrupted):
    for step in (4, 9):
        with pytest.raises(Killed):
            search(tmp_path, Events(kill_at=step))
    stop = StopRequest()
    with pytest.raises(Stopped, match=r"step 11 \(epoch 3 of 3\).*same command"):
        search(tmp_path, Events(stop_at=11, stop=stop), stop=stop)
    data = Numbers()
    alpha, _, history = search(tmp_path, data=data)
    np.testing.assert_array_equal(alpha, uninterrupted[0])
    assert without_time(history) == without_time(uninterrupted[2])
    assert data.served[0] == (2, 1), "a stop saves the step it finished"


def test_a_kill_between_the_record_and_its_checkpoint_repeats_no_record(tmp_path, uninterrupted):
    class KillAtEpoch(Observer):
        def on_epoch(self, record, history):
            raise Killed

    with pytest.raises(Killed):
        search(tmp_path, KillAtEpoch())
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 1
    _, _, history = search(tmp_path)
    assert without_time(history) == without_time(uninterrupted[2])


def test_a_finished_run_is_only_looked_at(tmp_path):
    search(tmp_path)
    data = Numbers()
    _, _, history = search(tmp_path, data=data)
    assert data.served == [] and len(history) == 3


def test_divergence_stops_with_what_happened(tmp_path):
    events = Events()
    with pytest.raises(UserError, match=r"step 8 \(epoch 2\).*train_loss.*--max_rollbacks"):
        search(tmp_path, events, data=Numbers(poison=[(1, 2)]))
    assert events.seen[-1] == ("end",)
    # The same directory is still good.
    alpha, _, _ = search(tmp_path)
    assert np.all(np.isfinite(alpha))


def test_divergence_rolls_back_at_most_so_often(tmp_path, uninterrupted):
    events = Events()
    alpha, _, history = search(
        tmp_path / "a", events, data=Numbers(poison=[(1, 2)]), max_rollbacks=1
    )
    assert ("rollback", 5) in [e[:2] for e in events.seen]
    assert history[-1]["rollbacks"] == 1
    assert np.all(np.isfinite(alpha))
    assert not np.array_equal(alpha, uninterrupted[0]), "other masks after a rollback"
    with pytest.raises(UserError, match="after 1 rollbacks"):
        search(tmp_path / "b", data=Numbers(poison=[(1, 2), (1, 3)]), max_rollbacks=1)


def test_a_score_that_is_no_number_is_a_divergence(tmp_path):
    class Spoilt(Numbers):
        """The second evaluation meets something that is not a number."""

        evaluations = 0

        def evaluation(self):
            self.evaluations += 1
            yield np.float32([1.0, 1.1, np.nan if self.evaluations == 2 else 1.0])

    with pytest.raises(UserError, match=r"epoch 2.*evaluation mode.*--max_rollbacks"):
        search(tmp_path / "a", data=Spoilt())
    assert "NaN" not in (tmp_path / "a" / "history.jsonl").read_text()
    _, _, history = search(tmp_path / "b", data=Spoilt(), max_rollbacks=1)
    assert [r["rollbacks"] for r in history] == [0, 1, 1]


def test_the_genotype_is_rewritten_only_when_something_changed(tmp_path, monkeypatch):
    writes = []
    save = genotype.save
    monkeypatch.setattr(genotype, "save", lambda *a: (writes.append(a[2]), save(*a)))
    search(tmp_path, alpha_learning_rate=1e-9, epochs=2)
    # The first cell, and one for each epoch's score.
    assert [w["supernet"] and w["supernet"]["epoch"] for w in writes] == [None, 1, 2]


def test_a_broken_checkpoint_is_one_sentence(tmp_path):
    search(tmp_path, epochs=1)
    for file in (tmp_path / "checkpoints" / "latest").glob("*.data*"):
        file.write_bytes(b"")
    with pytest.raises(UserError, match="broken or of another model"):
        search(tmp_path)
