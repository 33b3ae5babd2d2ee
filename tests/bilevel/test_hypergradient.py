"""The hypergradient on a quadratic bilevel problem whose answer is known in closed form."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel import hypergradient, relaxation
from tf_darts.bilevel.loss import PlainLoss
from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.optimization.weight_optimizer import WeightOptimizer
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.relaxed.supernet import RecurrentSupernet


class Quadratic:
    """L_train = ½ wᵀA w - wᵀB a, L_val = ½|w - c|² + ½ aᵀD a + wᵀE a, w in two pieces.

    So ∇_w L_train = A w - B a, and ∇²_{α,w} L_train · v = -Bᵀ v.
    """

    def __init__(self, momentum, clip):
        random = np.random.default_rng(0)
        n, k = 7, 6
        half = random.standard_normal((n, n))
        self.A = half @ half.T / n + np.eye(n)
        self.B, self.E = random.standard_normal((2, n, k))
        self.D = np.diag(random.random(k) + 0.5)
        self.c, self.w, self.m = random.standard_normal((3, n))
        self.a = random.standard_normal(k)
        self.xi, self.decay, self.momentum, self.clip = 0.3, 0.01, momentum, clip
        self.optimizer = WeightOptimizer(momentum, self.decay, clip)

    def split(self, vector):
        return [tf.constant(vector[:3]), tf.constant(vector[3:])]

    def flat(self, weights, alphas):
        return tf.concat(weights, 0), tf.reshape(alphas["cell"], [-1])

    def train_loss(self, weights, alphas):
        w, a = self.flat(weights, alphas)
        loss = 0.5 * tf.tensordot(w, tf.linalg.matvec(self.A, w), 1)
        return loss - tf.tensordot(w, tf.linalg.matvec(self.B, a), 1), None

    def validation_loss(self, weights, alphas):
        w, a = self.flat(weights, alphas)
        loss = 0.5 * tf.reduce_sum((w - self.c) ** 2)
        loss += 0.5 * tf.tensordot(a, tf.linalg.matvec(self.D, a), 1)
        return loss + tf.tensordot(w, tf.linalg.matvec(self.E, a), 1), "left behind"

    def unroll(self, gradients):
        velocities = self.split(self.m) if self.momentum else []
        factor = self.optimizer.clip_factor(tf.linalg.global_norm(gradients))
        moved, _ = self.optimizer.step(self.split(self.w), velocities, gradients, factor, self.xi)
        return moved, self.xi * factor

    def estimate(self, kind):
        alphas = {"cell": tf.constant(self.a.reshape(2, 3))}
        losses = PlainLoss(self.train_loss), PlainLoss(self.validation_loss)
        estimate = HYPERGRADIENTS[kind].estimate
        return estimate(*losses, self.split(self.w), alphas, self.unroll)

    def closed_form(self, xi):
        gradient = self.A @ self.w - self.B @ self.a
        factor = 1.0
        if self.clip:
            factor = min(1.0, self.clip / (np.linalg.norm(gradient) + 1e-6))
        direction = factor * gradient + self.decay * self.w + self.momentum * self.m
        moved = self.w - xi * direction
        vector = moved - self.c + self.E @ self.a
        direct = self.D @ self.a + self.E.T @ moved
        return direct + xi * factor * self.B.T @ vector, vector


@pytest.mark.parametrize("clip", [0.0, 0.5, 1e6], ids=["no_clip", "clip_bites", "clip_is_far"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("kind", ["finite_difference", "exact"])
def test_second_order_on_a_quadratic(kind, momentum, clip):
    problem = Quadratic(momentum, clip)
    result = problem.estimate(kind)
    gradient, vector = problem.closed_form(problem.xi)
    # A central difference of a quadratic's gradient has no error but rounding's.
    tolerance = 1e-12 if kind == "exact" else 1e-9
    np.testing.assert_allclose(
        result.gradient["cell"].numpy().ravel(), gradient, rtol=0, atol=tolerance
    )
    np.testing.assert_allclose(
        result.implicit["cell"].numpy().ravel(), -problem.B.T @ vector, rtol=0, atol=tolerance
    )
    assert result.auxiliary == "left behind"
    if kind == "finite_difference":
        assert float(result.epsilon) == pytest.approx(0.01 / np.linalg.norm(vector))


@pytest.mark.parametrize("kind", ["finite_difference", "exact"])
def test_where_the_validation_loss_does_not_depend_on_w_there_is_no_second_term(kind):
    class OfAlpha(Quadratic):
        def validation_loss(self, weights, alphas):
            w, a = self.flat(weights, alphas)
            return tf.tensordot(a, tf.linalg.matvec(self.D, a), 1) + 0.0 * tf.reduce_sum(w), None

    problem = OfAlpha(momentum=0.9, clip=0.0)
    found = problem.estimate(kind)
    np.testing.assert_allclose(np.ravel(found.gradient["cell"]), 2 * problem.D @ problem.a)
    assert not np.any(found.implicit["cell"])


def test_first_order_on_a_quadratic():
    problem = Quadratic(0.9, 0.5)
    result = problem.estimate("first_order")
    gradient, _ = problem.closed_form(0.0)
    np.testing.assert_allclose(result.gradient["cell"].numpy().ravel(), gradient, atol=1e-12)
    assert not np.any(result.implicit["cell"])


def test_exact_is_the_gradient_through_the_unrolled_step():
    """Nested tapes all the way: val(w - ξ(μm + f·∇L_train + λw), α) differentiated as it stands."""
    problem = Quadratic(0.9, 0.5)
    alphas = {"cell": tf.constant(problem.a.reshape(2, 3))}
    weights = problem.split(problem.w)
    with tf.GradientTape() as outer:
        outer.watch(alphas)
        with tf.GradientTape() as inner:
            inner.watch(weights)
            loss, _ = problem.train_loss(weights, alphas)
        moved, _ = problem.unroll(inner.gradient(loss, weights))
        value, _ = problem.validation_loss(moved, alphas)
    through = outer.gradient(value, alphas)["cell"]
    ours = problem.estimate("exact").gradient["cell"]
    np.testing.assert_allclose(ours, through, atol=1e-12)


@pytest.fixture
def small_problem(float64):
    """A small supernet with the search's dropout, a batch of text, nothing trained."""
    model = RelaxedLanguageModel(
        words=30,
        units=12,
        input_dropout=0.2,
        cell_input_dropout=0.75,
        hidden_dropout=0.25,
        output_dropout=0.75,
    )
    supernet = RecurrentSupernet(model)
    random = np.random.default_rng(0)
    for variable in supernet.weights:
        variable.assign(0.3 * random.standard_normal(variable.shape))
    batches = [
        tuple(tf.constant(random.integers(30, size=(6, 8)), tf.int32) for _ in range(2))
        for _ in range(2)
    ]
    return supernet, batches, {"cell": tf.constant(0.5 * random.standard_normal((36, 5)))}


@pytest.mark.long  # a figure of the documents; that masks are the same is tested in test_step.py
def test_common_masks_make_the_second_order_term_precise(small_problem, record_property):
    """Why w, w+ and w- see the same masks: with independent ones eq. 8 is mostly noise."""
    supernet, (train, validation), alphas = small_problem
    weights = [tf.convert_to_tensor(variable) for variable in supernet.weights]
    state = supernet.initial_state(8)
    optimizer = WeightOptimizer(0.0, 5e-7, 0.25)

    def unroll(gradients):
        factor = optimizer.clip_factor(tf.linalg.global_norm(gradients))
        moved, _ = optimizer.step(weights, [], gradients, factor, 20.0)
        return moved, 20.0 * factor

    @tf.function(autograph=False)
    def implicit(seed, spread):
        calls = itertools.count()  # 0 at w, 1 at w+, 2 at w-

        def loss(batch, masks):
            def evaluate(w, a):
                mixing = relaxation.softmax(a)
                return supernet.loss(w, mixing, batch, state, masks()).loss, None

            return PlainLoss(evaluate)

        def own_masks():
            return tf.random.experimental.stateless_fold_in(seed, spread * next(calls))

        return hypergradient.finite_difference(
            loss(train, own_masks), loss(validation, lambda: seed), weights, alphas, unroll
        ).implicit["cell"]

    def variance(spread):
        draws = [implicit(tf.constant([1, i]), tf.constant(spread)) for i in range(12)]
        return float(np.mean(np.var(np.stack(draws), axis=0)))

    common, independent = variance(0), variance(1)
    record_property("variance_common_masks", common)
    record_property("variance_independent_masks", independent)
    print(f"variance of the second-order term: {common:.3g} common, {independent:.3g} independent")
    assert independent > 100 * common
