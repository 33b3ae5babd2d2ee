"""Adversarial smoothing: w's step under the worst mixing weights nearby (METHODS.md 5.4)."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.support.toy_search import Toy, config
from tf_darts.bilevel.mixture import WEIGHT_STEP
from tf_darts.bilevel.relaxation import Moment, given, softmax
from tf_darts.bilevel.step import BilevelStep
from tf_darts.cells.space import find_space
from tf_darts.config.presets import configure
from tf_darts.data.facts import ImageFacts
from tf_darts.errors import UserError
from tf_darts.methods.smooth import AdversarialSmoothing
from tf_darts.runtime.seeds import step_seed
from tf_darts.spaces.nasbench201 import make
from tf_darts.spaces.nasbench201.settings import NasBench201SearchConfig
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.relaxed.supernet import RecurrentSupernet
from tf_darts.spaces.recurrent.settings import RecurrentSearchConfig
from tf_darts.testing import float64
from tf_darts.testing.method import check_method, toy_config

RANDOM = np.random.default_rng(0)
ALPHAS = {kind: tf.constant(RANDOM.standard_normal((40, 5))) for kind in ("normal", "reduce")}
SLOPES = {kind: tf.constant(RANDOM.standard_normal((40, 5))) for kind in ALPHAS}


def moment(progress=0.0, seed=0, allowed=None):
    share = tf.constant(progress, tf.float64)
    return Moment(tf.constant([seed, 7]), share, share, allowed or {})


def linear(mixing):
    """A loss that is linear in the mixing weights, and its gradient."""
    return tf.add_n([tf.reduce_sum(SLOPES[kind] * mixing[kind]) for kind in mixing]), SLOPES


def attacked(loss, where=None, **settings):
    """By a function that gives the loss and its gradient."""
    relaxation, where = AdversarialSmoothing(**settings), where or moment(0.5)
    clean = relaxation.weight_mixing(ALPHAS, where)
    value, slopes = (lambda mixing: loss(mixing)[0]), (lambda mixing: loss(mixing)[1])
    return clean, relaxation.attack(clean, where, value, slopes)


def to_simplex(table):
    cut = np.clip(table, 0, 1)
    return cut / cut.sum(axis=1, keepdims=True)


def test_of_a_linear_loss_it_is_the_corner_of_the_ball():
    """Steps of 2ε/7 along one sign reach it from wherever they begin."""
    for seed in range(3):
        clean, worst = attacked(linear, moment(0.5, seed))
        for kind, table in clean.items():
            corner = table.numpy() + (0.03 + 0.27 * 0.5) * np.sign(SLOPES[kind])
            np.testing.assert_allclose(worst[kind], to_simplex(corner), rtol=1e-9)


def test_each_step_stays_in_the_ball_and_goes_along_the_sign():
    asked = []

    def curved(mixing):
        asked.append({kind: table.numpy() for kind, table in mixing.items()})
        goal = {kind: 0.3 for kind in mixing}
        value = tf.add_n([tf.reduce_sum((mixing[k] - goal[k]) ** 2) for k in mixing])
        return value, {kind: 2 * (mixing[kind] - goal[kind]) for kind in mixing}

    clean, _ = attacked(curved, adversarial_steps=4)
    size = 0.03 + 0.27 * 0.5
    assert len(asked) == 4 + 2
    for kind, table in clean.items():
        offsets = [a[kind] - table.numpy() for a in asked[:4]]
        assert np.abs(offsets[0]).max() > 0.9 * size and len(np.unique(offsets[0])) == 200
        for now, then in zip(offsets[1:], offsets, strict=False):
            signs = np.sign(table.numpy() + then - 0.3)
            np.testing.assert_allclose(
                now, np.clip(then + size / 2 * signs, -size, size), atol=1e-12
            )
    # It begins anew with another seed.
    first = asked[0]["normal"]
    attacked(curved, moment(0.5, seed=1), adversarial_steps=4)
    assert (asked[6]["normal"] != first).all()


def test_it_is_mixing_weights_and_hurts():
    for progress in (0.0, 0.5, 1.0):
        clean, worst = attacked(linear, moment(progress))
        for table in worst.values():
            assert (table.numpy() >= 0).all() and (table.numpy() <= 1).all()
            np.testing.assert_allclose(table.numpy().sum(axis=1), 1.0, rtol=1e-12)
        assert linear(worst)[0] > linear(clean)[0]


def test_without_noise_or_where_the_loss_does_not_rise_it_is_the_softmax():
    for settings in ({"first_noise": 0.0, "last_noise": 0.0}, {}):
        # Whose gradient lies: where it ends is better for w.
        def lying(mixing):
            value, slopes = linear(mixing)
            return value, {kind: -slope for kind, slope in slopes.items()}

        _, worst = attacked(lying, **settings)
        for kind, table in softmax(ALPHAS).items():
            np.testing.assert_array_equal(worst[kind], table)


def test_what_is_not_allowed_stays_out():
    table = np.ones([40, 5])
    table[0] = 0
    table[1] = [0, 1, 0, 0, 0]
    table[2, 3:] = 0
    allowed = {kind: tf.constant(table) for kind in ALPHAS}
    _, worst = attacked(linear, moment(1.0, allowed=allowed))
    for found in worst.values():
        assert (found.numpy()[table == 0] == 0).all()
        np.testing.assert_allclose(found.numpy().sum(axis=1)[1:], 1.0, rtol=1e-12)


def made_step(**settings):
    usual = config(hypergradient="finite_difference", alpha_scale=1.0)
    composed = usual.composed({"relaxation": settings.pop("relaxation", "softmax")})
    made = dataclasses.replace(
        composed, hypergradient="finite_difference", alpha_scale=1.0, **settings
    )
    return BilevelStep(Toy(), made)


def test_one_of_one_s_own_that_fails_is_a_sentence(eagerly, monkeypatch):
    monkeypatch.setattr(AdversarialSmoothing, "__module__", "own")
    monkeypatch.setattr(AdversarialSmoothing, "attack", lambda *_: {}["cell"])
    with (
        float64(),
        pytest.raises(UserError, match="--relaxation=adversarial_smoothing: its attack fails"),
    ):
        made_step(relaxation="adversarial_smoothing", **NOISE)(*BATCHES, 0.01)


BATCHES = np.array([1.0, 1.2, 0.9, 1.1]), np.array([0.8, 1.0, 1.1, 1.3])
NOISE = {"first_noise": 0.2, "last_noise": 0.2}


def test_the_whole_step_against_its_formulas(eagerly):
    """α's step is that of the plain softmax; w's has the gradient at the worst mixing weights."""
    with float64():
        plain = made_step()
        smooth = made_step(relaxation="adversarial_smoothing", **NOISE)
        seeds = tf.random.experimental.stateless_split(
            step_seed(0, tf.constant(0, tf.int64), tf.constant(0, tf.int64)), 4
        )
        moments = [(step(*BATCHES, 0.01), step) for step in (plain, smooth)]
        (first, _), (second, _) = moments
        assert first["hypergradient_norm"] == second["hypergradient_norm"]
        alpha = plain.alphas["cell"].numpy()
        assert (alpha == smooth.alphas["cell"].numpy()).all()
        assert (plain.supernet.weights[0].numpy() != smooth.supernet.weights[0].numpy()).any()

        # The toy in NumPy, with the seeds of the step: w begins at (0.5, -0.5).
        table = np.exp(alpha) / np.exp(alpha).sum(axis=1, keepdims=True)
        noise = 0.1 * float(tf.random.stateless_normal([], seeds[2], dtype=tf.float64))
        where = smooth.mixture.moment(seeds, WEIGHT_STEP)
        inner = tf.random.experimental.stateless_fold_in(where.seed, 0)
        offset = 0.2 * tf.random.stateless_uniform([3, 5], inner, -1, 1, tf.float64).numpy()

        def residuals(mixing):
            return BATCHES[0] + noise - (0.5 * (mixing * np.arange(5.0)).sum() - 0.5)

        for _ in range(7):
            slope = -2 * residuals(table + offset).mean() * 0.5 * np.arange(5.0)
            offset = np.clip(offset + 0.4 / 7 * np.sign(slope), -0.2, 0.2)
        worst = to_simplex(table + offset)
        assert (residuals(worst) ** 2).mean() > (residuals(table) ** 2).mean()
        strength = (worst * np.arange(5.0)).sum()
        gradient = -2 * residuals(worst).mean() * np.array([strength, 1.0])
        gradient += 0.002 * np.array([0.5, -0.5])  # the toy's own term of w's step
        norm = np.sqrt((gradient**2).sum())
        assert second["weight_gradient_norm"] == pytest.approx(norm, rel=1e-9)
        clip = min(1.0, smooth.config.clip_norm / (norm + 1e-6)) if smooth.config.clip_norm else 1
        moved = np.array([0.5, -0.5])
        moved -= 0.01 * (clip * gradient + smooth.config.weight_decay * moved)
        np.testing.assert_allclose(smooth.supernet.weights[0].numpy(), moved, rtol=1e-9)


def recurrent():
    model = RelaxedLanguageModel(words=12, units=6, nodes=3)
    made = RecurrentSearchConfig(batch_size=4).composed({"method": "smooth_darts_adv"})
    step = BilevelStep(RecurrentSupernet(model, temporal_activation_penalty=0.1), made)
    return step, tuple(RANDOM.integers(12, size=(5, 4), dtype=np.int32) for _ in range(2))


def bench(options=""):
    cells = find_space("nasbench201").topologies
    made = NasBench201SearchConfig(channels=4, cells_per_stage=1, batch_size=4, epochs=4)
    made = made.composed({"method": "smooth_darts_adv", "edge_options": options})
    step = BilevelStep(make.supernet(made, ImageFacts((8, 8, 3), 3), cells), made)
    return step, (RANDOM.normal(size=(4, 8, 8, 3)), np.array([0, 1, 2, 0], np.int32))


def bench_of_options():
    return bench("partial_channels,edge_normalization,auxiliary_skip")


@pytest.mark.parametrize("made", [recurrent, bench, bench_of_options])
def test_of_real_supernets_the_loss_rises(made, eagerly):
    """By gradients that are those of differences, also where rows do not sum to 1."""
    with float64():
        step, batch = made()
        for alpha in step.alphas.values():
            alpha.assign(RANDOM.standard_normal(alpha.shape))
        seeds = tf.random.experimental.stateless_split([1, 2], 4)
        where = step.mixture.moment(seeds, WEIGHT_STEP)._replace(
            progress=tf.constant(0.5, "float64")
        )
        state = step.supernet.initial_state(4)
        batch = tf.nest.map_structure(tf.convert_to_tensor, batch)
        losses = step.mixture.losses_of_given
        loss = losses.for_batch(batch, state, seeds[2], where, of_weight_step=True)
        w = step._weight_moves.read()

        alphas = step.mixture.values()
        clean = given(softmax({"cell": alphas["cell"]}), alphas)
        worst = step.mixture.attacked(loss, w, where)
        assert loss.value(w, worst)[0] > loss.value(w, clean)[0]
        assert worst["alphas"].keys() == alphas.keys()
        # At the clean point it is the loss of w's step.
        plain = step._loss_on(batch, state, seeds[2], where, of_weight_step=True)
        expected = plain.value(w, step.mixture.values())[0]
        assert float(loss.value(w, clean)[0]) == pytest.approx(float(expected), rel=1e-12)

        table = worst["mixing"]["cell"]
        table += 0.1 * RANDOM.standard_normal(table.shape)
        point = given({"cell": table}, alphas)
        *_, slope = loss.gradients(w, point, of_weights=False).of_alphas
        direction = RANDOM.standard_normal(slope.shape)
        up, down = (
            float(loss.value(w, given({"cell": table + sign * 1e-6 * direction}, alphas))[0])
            for sign in (1, -1)
        )
        exact = float(tf.reduce_sum(slope * direction))
        assert exact == pytest.approx((up - down) / 2e-6, rel=1e-4)


def test_wrong_input_is_a_sentence():
    asked = {"mode": "search", "dataset": "ptb", "relaxation": "adversarial_smoothing"}
    assert configure(asked | {"hypergradient": "first_order"}).label == "smooth_darts_adv"
    assert configure(asked | {"method": "joint_alternating"}).label
    with pytest.raises(UserError, match=r"moves alpha and w in one step.*--method=darts_first"):
        configure(asked | {"method": "joint_simultaneous"})
    assert toy_config("smooth_darts_adv").relaxation == "adversarial_smoothing"


def test_edges_may_have_options():
    """As other relaxations: the attack leaves what they add as it is."""
    asked = {"mode": "search", "dataset": "cifar10", "method": "smooth_darts_adv"}
    made = configure({**asked, "edge_options": "partial_channels,edge_normalization"})
    assert made.label == "smooth_darts_adv+partial_channels+edge_normalization"


@pytest.mark.long  # without options in test_members.py
def test_a_search_with_options_goes_on_as_if_it_had_not_been_killed():
    check_method("smooth_darts_adv", edge_options="partial_channels,auxiliary_skip")
