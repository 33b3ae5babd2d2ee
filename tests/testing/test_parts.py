"""The checks of relaxations and terms find what is wrong with one."""

import itertools

import pytest
import tensorflow as tf

from tf_darts.bilevel.alpha_terms import AlphaTerm
from tf_darts.bilevel.relaxation import Relaxation, softmax
from tf_darts.testing import check_alpha_term, check_relaxation


class Drawing(Relaxation):
    """Draws as it should."""

    def mixing(self, alphas, moment):
        noisy = {
            name: alpha + tf.random.stateless_normal(alpha.shape, moment.seed, dtype=alpha.dtype)
            for name, alpha in alphas.items()
        }
        return softmax(noisy, moment.allowed)

    def reading(self, alphas, moment):
        return softmax(alphas, moment.allowed)


class DrawsInReading(Drawing):
    def reading(self, alphas, moment):
        return self.mixing(alphas, moment)


class KeepsCount(Relaxation):
    calls = itertools.count()

    def mixing(self, alphas, moment):
        scale = 1.0 + next(self.calls)
        return softmax({n: scale * a for n, a in alphas.items()}, moment.allowed)


class Sigmoid(Relaxation):
    normalized = False

    def mixing(self, alphas, moment):
        mixing = {name: tf.sigmoid(alpha) for name, alpha in alphas.items()}
        return {name: table * moment.allowed.get(name, 1.0) for name, table in mixing.items()}


class SigmoidThatSaysOne(Sigmoid):
    normalized = True


class Forgets(Relaxation):
    def mixing(self, alphas, moment):
        return softmax(alphas)


class OneKind(Relaxation):
    def mixing(self, alphas, moment):
        return dict(list(softmax(alphas, moment.allowed).items())[:1])


class TracedAgain(Relaxation):
    def mixing(self, alphas, moment):
        if not tf.executing_eagerly():
            return softmax(alphas, moment.allowed)
        return softmax({n: 2.0 * a for n, a in alphas.items()}, moment.allowed)


class WrongSlope(Relaxation):
    def mixing(self, alphas, moment):
        stopped = {name: tf.stop_gradient(alpha) for name, alpha in alphas.items()}
        return softmax(stopped, moment.allowed)


@pytest.mark.parametrize("right", [Relaxation, Drawing, Sigmoid])
def test_right_ones_pass(right):
    check_relaxation(right())


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (DrawsInReading, "reading depends on the seed"),
        (KeepsCount, "is not the same twice|the gradient"),
        (SigmoidThatSaysOne, "set `normalized` to False"),
        (Forgets, "gives weight to operations that are not allowed"),
        (OneKind, "not of"),
        (TracedAgain, "is another compiled"),
        (WrongSlope, "the gradient by"),
    ],
)
def test_wrong_ones_do_not(wrong, sentence):
    with pytest.raises(AssertionError, match=sentence) as raised:
        check_relaxation(wrong())
    assert wrong.__name__ in str(raised.value)


class Square(AlphaTerm):
    def value(self, alphas, mixing, moment):
        return tf.add_n([tf.reduce_sum(table**2) for table in mixing.values()]) * moment.progress


class Matrix(Square):
    def value(self, alphas, mixing, moment):
        return tf.add_n([tf.reduce_sum(table, axis=1) for table in list(mixing.values())[:1]])


class HalfGradient(Square):
    def gradient(self, alphas, mixing, moment):
        with tf.GradientTape() as tape:
            tape.watch(alphas)
            value = self.value(alphas, softmax(alphas, moment.allowed), moment)
        return {name: 0.5 * slope for name, slope in tape.gradient(value, alphas).items()}


def test_terms():
    check_alpha_term(Square())
    with pytest.raises(AssertionError, match=r"Matrix, .*a scalar tensor is wanted"):
        check_alpha_term(Matrix())
    with pytest.raises(AssertionError, match=r"HalfGradient, .*the gradient"):
        check_alpha_term(HalfGradient())


class Centre(AlphaTerm):
    """A gradient alone."""

    def gradient(self, alphas, mixing, moment):
        return {
            kind: tf.reduce_mean(alphas[kind], -1, keepdims=True) + 0.0 * alphas[kind]
            for kind in mixing
        }


class ByARule(Relaxation):
    def mixing(self, alphas, moment):
        heat = 0.5 + moment.numbers["heat"]
        return softmax({name: alpha / heat for name, alpha in alphas.items()}, moment.allowed)


def test_a_term_may_have_a_gradient_alone():
    check_alpha_term(Centre())
    flat = type("Flat", (Centre,), {"gradient": lambda self, a, m, moment: {k: a[k][0] for k in m}})
    with pytest.raises(AssertionError, match=r"Flat.*its gradient gives \[\d+\] for"):
        check_alpha_term(flat())


def test_what_a_rule_of_the_method_says_is_given():
    check_relaxation(ByARule(), {"heat": 0.5})
    with pytest.raises(
        AssertionError, match=r"ByARule: fails \(KeyError: 'heat', test_parts.py, line"
    ):
        check_relaxation(ByARule())
