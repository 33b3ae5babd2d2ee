"""Parts of a batch, on two devices and one after another, against the whole batch."""

import concurrent.futures
import socket
import threading

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.runtime import collectives
from tf_darts.runtime.replicas import Replicas

SIGNATURE = (
    tf.TensorSpec([3, 3], tf.float64),
    tf.TensorSpec([None, 3], tf.float64),
    tf.TensorSpec([None, 3], tf.float64),
    tf.TensorSpec([2], tf.int32),
)
SEED = tf.constant([3, 4])


def _recurrence(weights, batch, state):
    """A loop that normalises by the whole batch's moments in every turn."""

    def turn(index, h):
        h = tf.tanh((batch + h) @ weights)
        mean, variance = collectives.all_moments(h, [0])
        return index + 1, (h - mean) * tf.math.rsqrt(variance + 0.1)

    return tf.while_loop(lambda index, h: index < 4, turn, (0, state))[1]


def _normalised(weights, batch, state, seed):
    """The loss, its gradient and a product with its Hessian; the last state."""
    del seed
    with tf.GradientTape() as outer:
        outer.watch(weights)
        with tf.GradientTape() as inner:
            inner.watch(weights)
            last = _recurrence(weights, batch, state)
            loss = tf.reduce_mean(tf.square(last - batch) * tf.constant([1.0, 2.0, 3.0], "float64"))
        gradient = inner.gradient(loss, weights)
        product = tf.reduce_sum(gradient * tf.constant(np.arange(9.0).reshape(3, 3)))
    return (loss, gradient, outer.gradient(product, weights)), last


def _plain(weights, batch, state, seed):
    """Without anything that ties examples together."""
    with tf.GradientTape() as tape:
        tape.watch(weights)
        last = tf.tanh((batch + state) @ weights)
        loss = tf.reduce_mean(tf.square(last))
    noise = tf.random.stateless_normal(tf.shape(batch), seed, dtype=tf.float64)
    return (loss, tape.gradient(loss, weights)), (last, noise)


@pytest.fixture
def arguments():
    random = np.random.default_rng(0)
    values = [random.standard_normal(shape) for shape in ((3, 3), (8, 3), (8, 3))]
    return [*map(tf.constant, values), SEED]


def _assert_same(found, right):
    for ours, theirs in zip(tf.nest.flatten(found), tf.nest.flatten(right), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)


def test_two_replicas_are_one(mirrored, arguments):
    replicas = Replicas(mirrored, checks=True)
    assert (replicas.count, replicas.workers, replicas.is_chief) == (2, 1, True)
    found = replicas.compiled(_normalised, SIGNATURE)(*arguments)
    _assert_same(found, _normalised(*arguments))


@pytest.mark.parametrize("two", [False, True], ids=["one_device", "mirrored"])
def test_micro_batches_are_the_batch(mirrored, arguments, two):
    replicas = Replicas(mirrored if two else None, micro_batches=2)
    (loss, gradient), (last, noise) = replicas.compiled(_plain, SIGNATURE)(*arguments)
    right, (right_last, _) = _plain(*arguments)
    _assert_same([loss, gradient, last], [*right, right_last])
    assert len({row.tobytes() for row in noise.numpy()}) == 8, "every part has masks of its own"


def test_each_replica_has_masks_of_its_own(mirrored, arguments):
    _, (_, noise) = Replicas(mirrored).compiled(_plain, SIGNATURE)(*arguments)
    assert len({row.tobytes() for row in noise.numpy()}) == 8


def test_micro_batches_are_normalised_apart(arguments):
    found, last = Replicas(micro_batches=2).compiled(_normalised, SIGNATURE)(*arguments)
    weights, batch, state, seed = arguments
    halves = [
        _normalised(weights, batch[part], state[part], seed) for part in (slice(0, 4), slice(4, 8))
    ]
    means = [(one + other) / 2 for one, other in zip(halves[0][0], halves[1][0], strict=True)]
    _assert_same([found, last], [means, tf.concat([halves[0][1], halves[1][1]], axis=0)])


def test_another_batch_axis(mirrored, arguments):
    weights, batch, state, seed = arguments

    def turned(weights, batch, state, seed):
        return _normalised(weights, tf.transpose(batch), state, seed)

    signature = (SIGNATURE[0], tf.TensorSpec([3, None], tf.float64), *SIGNATURE[2:])
    compiled = Replicas(mirrored).compiled(turned, signature, batch_axis=1)
    found = compiled(weights, tf.transpose(batch), state, seed)
    _assert_same(found, _normalised(*arguments))


def test_a_replica_that_went_astray_is_found(mirrored, arguments):
    def astray(weights, batch, state, seed):
        # What only one replica adds after the sum over all of them.
        mine = tf.reduce_sum(batch) - collectives.all_mean(tf.reduce_sum(batch))
        return mine, state

    class Forgetful(Replicas):
        def _run_replica(self, function, replica, arguments, batch_axis):
            means, state = super()._run_replica(function, replica, arguments, batch_axis)
            return means + tf.cast(replica, means.dtype), state

    compiled = Forgetful(mirrored, checks=True).compiled(astray, SIGNATURE)
    with pytest.raises(UserError, match="no longer agree"):
        compiled(*arguments)
    Forgetful(mirrored).compiled(astray, SIGNATURE)(*arguments)  # nobody looks


def test_a_batch_that_cannot_be_cut(mirrored):
    replicas = Replicas(mirrored, micro_batches=3)
    replicas.check_batch(12)
    with pytest.raises(UserError, match=r"--batch_size=8 cannot be cut into 6 equal") as refused:
        replicas.check_batch(8)
    ways = (
        "--batch_size=6 or --batch_size=12, or --global_batch=round, which takes the nearest,"
        " or --distribution=one_device, or other --micro_batches"
    )
    assert ways in str(refused.value)
    for size in (6, 12):
        replicas.check_batch(size)  # the advice works


@pytest.mark.parametrize(
    ("size", "nearest"), [(1, 6), (6, 6), (8, 6), (9, 12), (10, 12), (12, 12), (15, 18)]
)
def test_the_nearest_batch_that_can_be_cut(mirrored, size, nearest):
    replicas = Replicas(mirrored, micro_batches=3)
    assert replicas.nearest_batch(size) == nearest
    replicas.check_batch(nearest)
    assert Replicas().nearest_batch(size) == size


def test_examples_share_the_memory_of_a_device(mirrored):
    assert Replicas(mirrored).examples_at_once(64) == 64, "the CPU's two replicas have one memory"
    apart = Replicas(mirrored, micro_batches=2)
    apart._own_memories = True  # as GPUs' replicas
    assert apart.examples_at_once(64) == 16


def test_alone():
    replicas = Replicas()
    assert replicas.any(True) and not replicas.any(False)
    with pytest.raises(tf.errors.UnavailableError), replicas.guarded():
        raise tf.errors.UnavailableError(None, None, "not a worker's")


@pytest.mark.parametrize("local", [1, 2], ids=["one_replica_each", "two_replicas_each"])
def test_what_the_chief_measures_counts_for_all(local):
    """Of two workers, each in a thread; the mean over all replicas is NumPy's."""
    barrier, given = threading.Barrier(2), {}

    def worker(index, value):
        replicas = Replicas()
        replicas.workers, replicas.is_chief = 2, index == 0

        def mean(numbers):
            given[index] = numbers.numpy()
            barrier.wait(10)
            mean = np.mean([given[0]] * local + [given[1]] * local, 0, np.float32)
            barrier.wait(10)
            return tf.constant(mean), ()

        replicas._block = mean
        return replicas.chiefs(value)

    measured = {"loss": 0.1 + 0.2, "cell": "größer", "best": float("inf"), "none": None}
    others = {"loss": 0.3, "more": list(range(1000))}
    for values in ((measured, others), (others, measured), ("x" * 1020, None), (None, "x" * 5000)):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            assert list(pool.map(worker, range(2), values)) == [values[0]] * 2


def test_a_lost_worker_is_named():
    replicas = Replicas()
    replicas.workers = 3
    with socket.create_server(("127.0.0.1", 0)) as there, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # it does not listen
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in (there, closed)]
        replicas._addresses = ["127.0.0.1:1", *addresses]
        named = f"answer: worker 2 ({addresses[1]}) is silent; start"
        for others, said in (([1, 2], named), ([1], "answer; start")):
            replicas._others = others
            with pytest.raises(UserError, match="worker was lost") as lost, replicas.guarded():
                raise tf.errors.UnavailableError(None, None, "a worker's")
            assert said in str(lost.value) and addresses[0] not in str(lost.value)


def test_a_frozen_worker_is_named():
    """As TensorFlow 2.21 says it, though the machine still answers at the port."""
    replicas = Replicas()
    replicas.workers = 2
    text = (
        "Error reported from /job:worker/task:1: The following tasks are unhealthy (stopped sending"
        " heartbeats):\n/job:worker/replica:0/task:1\nThe tasks have crashed."
    )
    with socket.create_server(("127.0.0.1", 0)) as there:
        address = f"127.0.0.1:{there.getsockname()[1]}"
        replicas._addresses, replicas._others = ["127.0.0.1:1", address], [1]
        with pytest.raises(UserError) as lost, replicas.guarded():
            raise tf.errors.UnavailableError(None, None, text)
    assert f"worker 1 ({address}) is silent; start" in str(lost.value)


def test_sums_of_one_are_the_value():
    x = tf.constant([1.0, 2.0])
    assert collectives.all_sum(x) is x
    assert collectives.all_mean(x) is x
    assert collectives.all_gathered(x) is x
