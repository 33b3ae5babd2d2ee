"""Compiled losses of a supernet of one weight: equal to those by tapes, each made once."""

import dataclasses
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.compiled_loss import SupernetLosses
from tf_darts.bilevel.relaxation import beginning
from tf_darts.bilevel.supernet_loss import SupernetLoss
from tf_darts.runtime.precision import Precision
from tf_darts.runtime.replicas import SINGLE_REPLICA, Replicas
from tf_darts.runtime.whole_programs import set_xla
from tf_darts.spaces.known_statistics import known
from tf_darts.spaces.supernet import LossResult, Supernet

SEED = tf.constant([0, 0])


class Line(Supernet):
    """(p_0·w - batch)² + 0.1·w² where regularised; counts how often it is traced."""

    regularizes = True

    def __init__(self, joint):
        self.traced = 0
        self.joint = joint
        self._weights = [keras.Variable([0.7])]

    weights = property(lambda self: self._weights)
    statistics = property(lambda self: [])
    batch_signature = property(lambda self: tf.TensorSpec([], tf.float32))
    joint_gradients = property(lambda self: self.joint)
    initial_state = evaluation_sums = scores = None

    def loss(self, weights, mixing, batch, state, seed, *, progress=0.0, regularized=False):
        self.traced += 1
        w = weights[0][0]
        loss = (mixing["cell"][0, 0] * w - batch) ** 2 + (0.1 * w**2 if regularized else 0.0)
        return LossResult(loss, {"loss": loss}, state, [])


POINT = [tf.constant([0.7])], {"cell": tf.constant([[0.3, -0.2]])}


@pytest.fixture(params=[False, True], ids=["apart", "joint"])
def losses(request):
    return SupernetLosses(Line(request.param))


def assert_close(ours, theirs):
    for mine, right in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-6)


@pytest.mark.parametrize("parts", [1, 2])
def test_only_parts_of_a_batch_have_a_seed_of_their_own_for_examples(parts):
    replicas = SINGLE_REPLICA if parts == 1 else Replicas(micro_batches=parts)
    loss = SupernetLosses(Line(True), replicas).for_batch(tf.constant(2.0), (), SEED)
    part = loss._of_part(tf.constant(2.0), (), SEED, beginning()).moment.part
    assert part is (() if parts == 1 else SEED)


@pytest.mark.parametrize("regularized", [False, True])
def test_the_same_as_by_tapes(losses, regularized):
    arguments = tf.constant(2.0), (), SEED
    compiled = losses.for_batch(*arguments, of_weight_step=regularized)
    taped = SupernetLoss(losses, *arguments, beginning(), regularized, of_weight_step=False)
    vector = [tf.constant([1.5])]
    assert_close(compiled.value(*POINT), taped.value(*POINT))
    assert_close(compiled.gradients(*POINT), taped.gradients(*POINT))
    assert_close(compiled.mixed_product(*POINT, vector), taped.mixed_product(*POINT, vector))


def test_each_kind_is_traced_once(losses):
    factor = tf.Variable(2.0)
    for batch in (1.0, 2.0, 3.0):
        loss = losses.for_batch(tf.constant(batch), (), SEED)
        loss.gradients(*POINT)
        loss.gradients(*POINT, of_weights=False)
        loss.precise.gradients(*POINT, of_weights=False)  # in float32 it is the same
        factor.assign_add(1.0)
        loss.times(factor).gradients(*POINT)
    assert losses.supernet.traced == 3


class Plain(Line):
    """The same loss, not regularised: both steps' one."""

    regularizes = False


def test_the_gradient_by_alpha_is_a_part_of_that_by_both():
    """Traced with it, bit for bit its part, and as its own graph without what only w needs."""
    losses = SupernetLosses(Plain(joint=True))
    loss = losses.for_batch(tf.constant(2.0), (), SEED)
    apart = SupernetLosses(Plain(joint=False)).for_batch(tf.constant(2.0), (), SEED)
    of_weight_step = losses.for_batch(tf.constant(2.0), (), SEED, of_weight_step=True)
    part, both = loss.gradients(*POINT, of_weights=False), of_weight_step.gradients(*POINT)
    assert losses.supernet.traced == 1
    assert (part.of_weights, part.auxiliary.statistics) == ([], ())
    own = apart.gradients(*POINT, of_weights=False)
    for ours, other, right in zip(
        (part.value, *part.of_alphas, part.auxiliary.means["loss"]),
        (both.value, *both.of_alphas, both.auxiliary.means["loss"]),
        (own.value, *own.of_alphas, own.auxiliary.means["loss"]),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, right)
        np.testing.assert_array_equal(ours, other)


class Averaging(Plain):
    """The loss depends on the seed, and it has running statistics."""

    def __init__(self, joint):
        super().__init__(joint)
        self._statistics = [keras.Variable([4.0, -2.0, 8.0])]

    statistics = property(lambda self: self._statistics)

    def loss(self, weights, mixing, batch, state, seed, **others):
        found = super().loss(weights, mixing, batch + tf.cast(seed[0], tf.float32), state, seed)
        old = known(self._statistics)
        old = tf.convert_to_tensor(self._statistics[0]) if old is None else old
        return found._replace(statistics=[0.75 * old + 0.25 * batch])


@pytest.mark.parametrize("joint", [False, True])
def test_seeds_and_running_statistics_reach_it(joint):
    """Of every call those of now, in w's gradient; the seed also where α's is a part of both."""
    supernet = Averaging(joint)
    losses = SupernetLosses(supernet)
    for seed, first in ((0, 4.0), (3, 16.0)):
        supernet.statistics[0].assign([first, -2.0, 8.0])
        arguments = tf.constant(2.0), (), tf.constant([seed, 0])
        loss = losses.for_batch(*arguments)
        taped = SupernetLoss(losses, *arguments, beginning(), False, of_weight_step=False)
        right = taped.gradients(*POINT)
        part = loss.gradients(*POINT, of_weights=False)
        assert_close((part.value, part.of_alphas), (right.value, right.of_alphas))
        statistics = loss.gradients(*POINT).auxiliary.statistics
        np.testing.assert_array_equal(statistics, [0.75 * first + 0.5, -1.0, 6.5])


class Asserting(Plain):
    """As an operation of one's own that looks at what it is given."""

    def loss(self, weights, mixing, batch, state, seed, **others):
        tf.debugging.assert_less(batch, 1e9)
        return super().loss(weights, mixing, batch, state, seed)


class NoProgram(Plain):
    """XLA has no kernel for texts."""

    def loss(self, weights, mixing, batch, state, seed, **others):
        length = tf.strings.length(tf.strings.as_string(batch))
        return super().loss(weights, mixing, batch + 0.0 * tf.cast(length, tf.float32), state, seed)


@pytest.mark.parametrize(("kind", "xla"), [(Asserting, "auto"), (NoProgram, "step")])
def test_where_no_graph_can_be_copied_it_is_traced_alone(kind, xla):
    """After a warm-up, in which w alone was moved."""
    try:
        set_xla(xla)
        loss = SupernetLosses(kind(joint=True)).for_batch(tf.constant(2.0), (), SEED)
        loss.gradients(*POINT)
        part = loss.gradients(*POINT, of_weights=False)
    finally:
        set_xla("auto")
    plain = SupernetLosses(Plain(joint=False)).for_batch(tf.constant(2.0), (), SEED)
    assert_close(part.of_alphas, plain.gradients(*POINT, of_weights=False).of_alphas)
    assert part.of_weights == []


@pytest.mark.parametrize("change", ["precision", "two_phases", "one_hot", "regularizes", "xla"])
def test_it_is_traced_alone_where_the_weight_step_has_another_loss(change, monkeypatch):
    losses = SupernetLosses(Plain(joint=True))
    loss = losses.for_batch(tf.constant(2.0), (), SEED)
    if change == "precision":
        loss = dataclasses.replace(loss, precision=Precision("float32", "bfloat16"))
    elif change == "regularizes":
        losses.supernet.regularizes = True
    elif change == "xla":
        set_xla("step")
    else:
        value = True if change == "one_hot" else lambda *_: True
        monkeypatch.setattr(type(losses.relaxation), change, value)
    assert not loss._alphas_are_part()
    loss.gradients(*POINT, of_weights=False)
    loss.gradients(*POINT)
    assert losses.supernet.traced == 2


def test_a_multiple_has_its_factor_of_now(losses):
    loss, factor = losses.for_batch(tf.constant(2.0), (), SEED), tf.Variable(3.0)
    multiple, vector = loss.times(factor), [tf.constant([1.5])]
    once = loss.gradients(*POINT)
    for times in (3.0, 5.0):
        factor.assign(times)
        found = multiple.gradients(*POINT)
        wanted = [times * x for x in (once.value, *once.of_weights, *once.of_alphas)]
        assert_close([found.value, found.of_weights, found.of_alphas], wanted)
        twice = [times * x for x in loss.mixed_product(*POINT, vector)]
        assert_close(multiple.mixed_product(*POINT, vector), twice)
    other = loss.times(tf.Variable(7.0))
    assert_close(other.gradients(*POINT).value, 7.0 * once.value)
    assert_close(other.precise.gradients(*POINT).value, 7.0 * once.value)
    assert_close(other.times(factor).gradients(*POINT).of_weights, [35.0 * once.of_weights[0]])


def test_what_is_not_wanted_is_not_there(losses):
    loss = losses.for_batch(tf.constant(1.0), (), SEED)
    assert loss.gradients(*POINT, of_weights=False).of_weights == []
    both = loss.gradients(*POINT, of_alphas=False).of_alphas
    assert len(both) == losses.supernet.joint_gradients, "where α's costs nothing it comes along"


def test_the_precise_one_is_in_full(losses):
    """Of a mixed precision only: everywhere else it is the loss itself."""
    loss = losses.for_batch(tf.constant(1.0), (), SEED)
    mixed = dataclasses.replace(loss, precision=Precision("float32", "bfloat16"))
    assert mixed.precise.precision == loss.precise.precision == loss.precision


def test_the_next_function_is_traced_meanwhile(losses):
    """In another thread, once the first is traced; it computes what it would have."""
    loss, threads, done = losses.for_batch(tf.constant(2.0), (), SEED), [], threading.Event()

    def trace():
        threads.append(threading.current_thread())
        loss.trace_gradients(*POINT, of_weights=True, of_alphas=False)
        done.set()

    losses.trace_meanwhile(trace)
    loss.gradients(*POINT, of_weights=False)
    assert done.wait(60.0) and threads[0] is not threading.current_thread()
    assert not threads[0].daemon, "a process that ends while it traces would abort"
    assert losses.supernet.traced == 2
    other = SupernetLosses(Line(losses.supernet.joint)).for_batch(tf.constant(2.0), (), SEED)
    ours, right = (each.gradients(*POINT, of_alphas=False) for each in (loss, other))
    assert_close(ours, right)
    loss.gradients(*POINT, of_weights=False)
    assert losses.supernet.traced == 2 and len(threads) == 1, "once, and no more"


def test_what_cannot_be_traced_meanwhile_is_left_to_its_call(losses):
    def fails():
        raise ValueError("as its call will say")

    losses.trace_meanwhile(fails)
    loss = losses.for_batch(tf.constant(2.0), (), SEED)
    assert_close(loss.gradients(*POINT).value, loss.value(*POINT)[0])
