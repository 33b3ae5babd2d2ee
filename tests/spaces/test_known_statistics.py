"""What somebody has read is taken in place of the variables, for exactly these."""

import keras
import numpy as np
import tensorflow as tf

from tf_darts.spaces.convolutional.operations.batch_norm import BatchNorm, StatisticsLedger
from tf_darts.spaces.known_statistics import known, known_statistics


def test_new_running_statistics_are_made_of_them():
    layer = BatchNorm()
    with StatisticsLedger() as ledger:
        layer(tf.random.stateless_normal([8, 4, 4, 3], [0, 1]), training=True)
    variables = [layer.running_mean, layer.running_variance]
    read = ledger.new_statistics(variables)
    with known_statistics(variables, tf.constant([0.0] * 3 + [1.0] * 3)):
        given = ledger.new_statistics(variables)
    with known_statistics(variables, tf.constant([10.0] * 6)):
        other = ledger.new_statistics(variables)
    for ours, right, moved in zip(given, read, other, strict=True):
        np.testing.assert_array_equal(ours, right)
        assert (np.abs(moved - ours) > 5.0).all()


def test_of_other_variables_nothing_is_known():
    one, two = keras.Variable([1.0]), keras.Variable([2.0])
    assert known([one]) is None
    with known_statistics([one, two], tf.constant([1.0, 2.0])):
        with known_statistics([two], tf.constant([2.0])):
            assert known([one, two]) is None and known([two]) is not None
        assert known([one, two]) is not None
        assert known([two, one]) is None and known([one]) is None
    assert known([one, two]) is None
