"""The fast forms are faster than the clear ones that they are tested against, in one run.

Both are timed in turn, so that a busy machine slows both, and the best time of each counts. The
bounds are generous: they find a fast form that has become a slow one, no lost per cent.
"""

import time

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.accelerate.recurrent.relaxed_recurrence import fast_relaxed_recurrence
from tf_darts.spaces.convolutional.relaxed.cell import RelaxedCell
from tf_darts.spaces.fast_forms import without
from tf_darts.spaces.recurrent.relaxed.recurrence import relaxed_recurrence

ROUNDS = 5


def _best_times(*functions):
    """The best seconds of each function over rounds in which they take turns."""
    for function in functions:
        function()
    best = [float("inf")] * len(functions)
    for _ in range(ROUNDS):
        for i, function in enumerate(functions):
            start = time.perf_counter()
            function()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def _gradient(function, *arguments):
    """The compiled gradients of a function's sum of squares; runs it and waits."""

    @tf.function(autograph=False)
    def run():
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            loss = tf.reduce_sum(tf.square(function(*arguments)))
        return [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, arguments)]

    return lambda: [gradient.numpy() for gradient in run()]


@pytest.mark.long
def test_recurrent_search():
    random = np.random.default_rng(0)
    time_steps, batch, units, nodes = 10, 64, 300, 8  # smaller ones start clusters, no more

    def normal(*shape):
        return tf.constant(0.1 * random.standard_normal(shape), tf.float32)

    arguments = (
        normal(time_steps, batch, units),
        normal(batch, units),
        normal(2 * units, 2 * units),
        *(normal(units, 2 * units) for _ in range(nodes)),
    )
    mixing, whole = tf.fill([nodes * (nodes + 1) // 2, 5], 0.2), tf.ones([batch, units])

    def form(recurrence):
        def run(inputs, hidden, input_kernel, *kernels):
            return recurrence(
                inputs, hidden, input_kernel, list(kernels), mixing, whole, whole
            ).outputs

        return _gradient(run, *arguments)

    fast, clear = _best_times(form(fast_relaxed_recurrence), form(relaxed_recurrence))
    # Half on a processor with fast products, three quarters or more where they are most of it.
    assert fast < 0.95 * clear, f"{fast:.4f} s, the clear form {clear:.4f} s"


@pytest.mark.long
def test_convolutional_search():
    random = np.random.default_rng(0)
    cell = RelaxedCell(16, seed=0)
    images = tf.constant(random.standard_normal((8, 32, 32, 16)), tf.float32)
    cell.build((images.shape, images.shape))
    mixing = tf.fill([14, 8], 0.125)

    def form(call):
        return _gradient(lambda x, y, p: call((x, y), p, training=True), images, images, mixing)

    def clear(*arguments, **settings):
        with without(RelaxedCell):
            return cell(*arguments, **settings)

    fast, clear = _best_times(form(cell), form(clear))
    # By itself, on two cores, a cell gains a fifth at best; the bound is for a loss.
    assert fast < 1.2 * clear, f"{fast:.4f} s, the clear form {clear:.4f} s"
