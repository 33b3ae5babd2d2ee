import numpy as np
import tensorflow as tf

from tf_darts.formats.sampling import draw, uniform_rows

LOGITS = np.log([[0.1, 0.6, 0.3]]).astype(np.float32)


def shares(temperature, top_k, draws=2000):
    """How often each word is drawn, for chances evenly over 0..1."""
    chances = tf.constant((np.arange(draws) + 0.5) / draws, tf.float32)
    rows = tf.tile(LOGITS, [draws, 1])
    words = draw(rows, chances, tf.fill([draws], float(temperature)), tf.fill([draws], top_k))
    return np.bincount(words, minlength=3) / draws


def test_words_come_as_often_as_they_should():
    np.testing.assert_allclose(shares(1, 0), [0.1, 0.6, 0.3], atol=1e-3)
    np.testing.assert_allclose(shares(1, 2), [0, 2 / 3, 1 / 3], atol=1e-3)
    np.testing.assert_allclose(shares(1, 99), [0.1, 0.6, 0.3], atol=1e-3)
    warm = np.sqrt([0.1, 0.6, 0.3])
    np.testing.assert_allclose(shares(2, 0), warm / warm.sum(), atol=1e-3)


def test_the_likeliest():
    for temperature, top_k in ((0, 0), (1, 1), (1e-30, 0)):
        np.testing.assert_array_equal(shares(temperature, top_k, 50), [0, 1, 0])


def test_the_ends_of_the_chances():
    chances = tf.constant([0.0, np.nextafter(np.float32(1), np.float32(0))])
    rows = tf.tile(LOGITS, [2, 1])
    np.testing.assert_array_equal(
        draw(rows, chances, tf.ones([2]), tf.zeros([2], tf.int32)), [1, 0]
    )


def test_equal_words_are_not_more_than_top_k():
    words = draw(tf.zeros([50, 9]), tf.linspace(0.0, 0.99, 50), tf.ones([50]), tf.fill([50], 3))
    assert set(words.numpy()) == {0, 1, 2}


def test_a_seed_is_of_its_row():
    both = uniform_rows(tf.constant([5, 7]), tf.constant(40)).numpy()
    np.testing.assert_array_equal(both[1:], uniform_rows(tf.constant([7]), tf.constant(40)))
    assert not np.array_equal(both[0], both[1])
    assert both.min() >= 0 and both.max() < 1 and abs(both.mean() - 0.5) < 0.1
