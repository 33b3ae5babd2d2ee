"""Pipelines of `tf.data`: their order, and that their end is not waited for."""

import sys
import time

import numpy as np
import tensorflow as tf

from tests.support.paths import ROOT
from tf_darts.data.pipelines import mapped, options, read_ahead


def test_elements_keep_their_order():
    def after_a_while(i):  # the first elements are the slow ones
        def squared(i):
            time.sleep(0.02 if i < 4 else 0.0)
            return np.int64(i * i)

        return tf.ensure_shape(tf.numpy_function(squared, [i], tf.int64, stateful=False), [])

    made = read_ahead(mapped(tf.data.Dataset.range(20), after_a_while).batch(8))
    assert np.concatenate(list(made.as_numpy_iterator())).tolist() == [i * i for i in range(20)]


def test_functions_are_traced_as_they_stand():
    """AutoGraph would take a second to rewrite those of a batch of images."""
    files = []

    def double(i):
        files.append(sys._getframe().f_code.co_filename)
        return 2 * i

    assert list(mapped(tf.data.Dataset.range(3), double).as_numpy_iterator()) == [0, 2, 4]
    assert files == [__file__]


def test_no_thread_looks_for_better_numbers():
    made = read_ahead(mapped(tf.data.Dataset.range(4), lambda i: i + 1))
    assert made.options().autotune.enabled is False
    assert options().autotune.enabled is False


def test_an_iterator_ends_at_once():
    """Also of a library's pipeline; with autotuning it takes two seconds after three of them."""
    theirs = tf.data.Dataset.range(10**9).map(lambda i: i + 1, num_parallel_calls=tf.data.AUTOTUNE)
    iterator = iter(read_ahead(theirs))
    end = time.monotonic() + 3.0
    while time.monotonic() < end:
        next(iterator)
    start = time.monotonic()
    del iterator
    assert time.monotonic() - start < 1.0


def test_nobody_asks_for_autotuning():
    """Nor does anybody make a data set without these functions, or iterate over TFDS's as it is."""
    package = ROOT / "tf_darts"
    allowed = package / "data" / "pipelines.py"
    for path in package.rglob("*.py"):
        if path != allowed:
            text = path.read_text(encoding="utf-8")
            assert "AUTOTUNE" not in text, path
            if "tf.data.Dataset." in text or "as_dataset(" in text:
                assert "from tf_darts.data.pipelines import" in text, path
