"""The doors for images around models that know nothing of this package."""

import keras
import numpy as np
import tensorflow as tf

from tests.support import toy_space
from tf_darts.cells.genotype import genotype_class
from tf_darts.spaces.image_doors import ImageObjective, ImageSupernet
from tf_darts.testing import check_objective, check_supernet

toy = toy_space.toy
SHAPE = (4, 4, 1)
LABELS = np.arange(3)


class Mixed(keras.Model):
    """Each edge scales the image's mean; `norms` as in other people's models."""

    def __init__(self, norm=None):
        super().__init__()
        self.norm, self.head = norm, keras.layers.Dense(3)

    def build(self, shape):
        if self.norm:
            self.norm.build((None, 6))
        self.head.build((None, 6))
        self.built = True

    def call(self, images, mixing=None, training=False):
        factors = tf.range(6.0)
        if mixing is not None:
            factors = tf.reduce_sum(mixing["cell"] * tf.range(3, dtype=images.dtype), axis=1)
        values = tf.reduce_mean(images, axis=[1, 2]) * tf.cast(factors, images.dtype) + 0.1
        if self.norm:
            values = self.norm(values, training=training)
        return self.head(values)


def images():
    return np.random.default_rng(0).standard_normal((3, *SHAPE))


def supernet(norm=None):
    return ImageSupernet(Mixed(norm), SHAPE, "toy", {"cell": toy_space.topology()})


def test_a_supernet_without_statistics(toy, float64):
    found = supernet()
    assert found.statistics == [] and found.genotype_class is genotype_class("toy")
    check_supernet(found, (images(), LABELS), random_masks=False)


def test_running_statistics_of_others_layers_are_returned_and_not_assigned(toy, float64):
    """Keras' batch norm assigns; inside the loss that stays in its scope."""
    found = supernet(keras.layers.BatchNormalization())
    assert [v.name for v in found.statistics] == ["moving_mean", "moving_variance"]
    before = [np.array(v) for v in found.statistics]
    weights = [tf.convert_to_tensor(w) for w in found.weights]
    mixing = {"cell": tf.fill([6, 3], tf.constant(1 / 3, tf.float64))}
    batch = (tf.constant(images()), tf.constant(LABELS, tf.int32))
    result = found.loss(weights, mixing, batch, (), tf.constant([0, 1]))
    for old, variable, new in zip(before, found.statistics, result.statistics, strict=True):
        np.testing.assert_array_equal(old, variable)
        assert not np.allclose(old, new)
    assert found.scores({"loss": 1.0, "accuracy": 0.5}) == {"loss": 1.0, "accuracy": 50.0}


def test_an_objective(float64):
    objective = ImageObjective(Mixed(), SHAPE, multiply_adds=18)
    assert objective.counts() == {"weights": 21, "multiply-adds an image": 18}
    check_objective(objective, (images(), LABELS), random_masks=False)
    fixed = ImageObjective(Mixed(), SHAPE, batch_size=3)
    assert fixed.batch_signature[0].shape == (3, *SHAPE) and fixed.counts() == {"weights": 21}


def test_running_statistics_move_in_a_training(float64):
    moving = ImageObjective(Mixed(keras.layers.BatchNormalization()), SHAPE)
    before = [np.array(v) for v in moving.statistics]
    batch = (tf.constant(images()), tf.constant(LABELS, tf.int32))
    moving.loss(batch, (), tf.constant([0, 1]), tf.constant(0.0))
    assert not np.allclose(before[0], moving.statistics[0])
