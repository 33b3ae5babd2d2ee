"""A training of a network of its own, tiny: `training/` knows no space."""

import keras
import numpy as np
import tensorflow as tf

from tests.support.toy_search import Events
from tf_darts.data.batches import TrainingBatch
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import StopRequest
from tf_darts.spaces.convolutional.settings import ConvolutionalTrainingConfig
from tf_darts.spaces.objective import TrainingLoss, TrainingObjective
from tf_darts.spaces.supernet import Evaluation
from tf_darts.training.engine import TrainingEngine


class Line(keras.layers.Layer):
    def build(self):
        self.slope = self.add_weight(name="slope", shape=(1,), initializer="ones")
        self.mean = self.add_weight(name="mean", shape=(), initializer="zeros", trainable=False)


class Toy(TrainingObjective):
    """Fits a number; its state counts batches, its loss is noisy, its statistic moves."""

    measures = ("loss",)
    score = "error"
    score_mode = "min"

    def __init__(self):
        self.model = Line()
        self.model.build()

    batch_signature = property(lambda self: tf.TensorSpec([None], keras.config.floatx()))

    def initial_state(self, batch_size):
        return tf.zeros([batch_size], keras.config.floatx())

    def counts(self):
        return {"weights": 1}

    def loss(self, batch, state, seed, progress):
        noise = 0.1 * tf.random.stateless_normal([], seed, dtype=batch.dtype)
        slope = tf.convert_to_tensor(self.model.slope)
        error = tf.reduce_mean((batch + noise + progress - slope) ** 2)
        loss = error + 0.01 * tf.reduce_mean(state)
        self.model.mean.assign(0.9 * self.model.mean + 0.1 * tf.stop_gradient(loss))
        return TrainingLoss(loss + 0.001 * tf.reduce_sum(slope**2), {"loss": loss}, state + 1.0)

    def evaluation_sums(self, batch, state):
        count = tf.cast(tf.size(batch), batch.dtype)
        error = tf.reduce_mean((batch - tf.convert_to_tensor(self.model.slope)) ** 2)
        return Evaluation({"loss": error * count}, count, state + 1.0)

    def scores(self, means):
        return {"loss": means["loss"], "error": means["loss"]}


class Numbers:
    """Five batches an epoch; `poison` makes one NaN, `targets` moves validation by epoch."""

    evaluation_batch_size = 3

    def __init__(self, poison=(), targets=None, validates=True):
        self.poison, self.targets, self.validates = list(poison), targets, validates
        self.served, self.now = [], 0

    def steps(self, epoch):
        return 5

    def epoch(self, epoch, start_step=0):
        self.now = epoch
        for step in range(start_step, 5):
            batch = np.random.default_rng([epoch, step]).normal(3.0, 0.1, 4).astype(np.float32)
            self.served.append((epoch, step))
            if (epoch, step) in self.poison:
                self.poison.remove((epoch, step))
                batch = batch * np.nan
            yield TrainingBatch(batch, 1.0, step == 0)

    def evaluation(self):
        target = self.targets[self.now] if self.targets else 3.0
        yield np.float32([target, target, target])


def train(path, events=None, data=None, stop=None, kind=ConvolutionalTrainingConfig, **overrides):
    settings = dict(
        genotype="darts_v2",
        epochs=4,
        batch_size=4,
        learning_rate=0.05,
        momentum=0.9,
        weight_decay=1e-4,
        checkpoint_steps=2,
    )
    run = RunDirectory(path, {})
    try:
        engine = TrainingEngine(
            kind(**(settings | overrides)), Toy(), data or Numbers(), run, [events or Events()]
        )
        result = engine.train(StopRequest() if stop is None else stop)
        values = [v.numpy() for v in tf.nest.flatten(engine._step.variables)]
        return values, result, run.read_history()
    finally:
        run.close()
