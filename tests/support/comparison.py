"""Whether two structures of numbers are the same."""

import numpy as np
import tensorflow as tf


def assert_same_batches(one, other):
    """As many batches, the same to the bit, with what goes along with them."""
    one, other = list(one), list(other)
    assert len(one) == len(other)
    for batches in zip(one, other, strict=True):
        for x, y in zip(*map(tf.nest.flatten, batches), strict=True):
            np.testing.assert_array_equal(x, y)


def assert_near(found, wanted, tolerance):
    """Number by number, relative to it."""
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=1e-12)
