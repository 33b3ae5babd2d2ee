"""A search in a space of its own, tiny and quadratic: `bilevel/` knows no space."""

import signal

import keras
import numpy as np
import tensorflow as tf

from tf_darts.bilevel.engine import SearchEngine
from tf_darts.cells import genotype
from tf_darts.cells.topology import CellTopology
from tf_darts.config.search import SearchConfig
from tf_darts.data.batches import SearchBatch
from tf_darts.runtime.callback import Callback
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import StopRequest
from tf_darts.spaces.supernet import Evaluation, LossResult, Supernet

OPERATIONS = genotype.RECURRENT_PRIMITIVES


class Toy(Supernet):
    """Fits a number by Σ_k p_k·k·w; its state counts batches and enters the loss."""

    genotype_class = genotype.RecurrentGenotype
    measures = ("loss",)
    score = "error"
    score_mode = "min"

    def __init__(self):
        self.cells = {"cell": CellTopology(1, 2, 1, OPERATIONS)}
        dtype = keras.config.floatx()
        self._weights = [keras.Variable([0.5, -0.5], dtype=dtype, name="w")]
        self._statistics = [keras.Variable(0.0, dtype=dtype, trainable=False, name="mean")]

    weights = property(lambda self: self._weights)
    statistics = property(lambda self: self._statistics)
    regularizes = True
    batch_signature = property(lambda self: tf.TensorSpec([None], keras.config.floatx()))

    def initial_state(self, batch_size):
        return tf.zeros([batch_size], keras.config.floatx())

    def _error(self, weights, mixing, batch, state):
        strength = tf.reduce_sum(mixing["cell"] * tf.range(5.0, dtype=batch.dtype))
        prediction = weights[0][0] * strength + weights[0][1]
        return tf.reduce_mean((batch - prediction) ** 2) + 0.01 * tf.reduce_mean(state)

    def loss(self, weights, mixing, batch, state, seed, *, progress=0.0, regularized=False):
        noise = 0.1 * tf.random.stateless_normal([], seed, dtype=batch.dtype)
        loss = self._error(weights, mixing, batch + noise, state)
        penalty = 0.001 * tf.reduce_sum(weights[0] ** 2) if regularized else 0.0
        mean = 0.9 * tf.convert_to_tensor(self._statistics[0]) + 0.1 * loss
        return LossResult(loss + penalty, {"loss": loss}, state + 1.0, [tf.stop_gradient(mean)])

    def evaluation_sums(self, mixing, batch, state):
        weights = [tf.convert_to_tensor(self._weights[0])]
        count = tf.cast(tf.size(batch), batch.dtype)
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


class Events(Callback):
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
