"""The whole step on a small supernet, against nested tapes and formulas written out here."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support import rewound
from tf_darts.bilevel.compiled_loss import SupernetLosses
from tf_darts.bilevel.step import BilevelStep
from tf_darts.runtime.seeds import step_seed
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.relaxed.supernet import RecurrentSupernet
from tf_darts.spaces.recurrent.settings import RecurrentSearchConfig

RATE, MOMENTUM, DECAY, CLIP = 2.0, 0.9, 1e-3, 0.05
ALPHA_RATE, ALPHA_DECAY = 3e-3, 1e-2


def make_step(kind):
    model = RelaxedLanguageModel(
        words=12, units=6, nodes=2, hidden_dropout=0.25, output_dropout=0.5
    )
    supernet = RecurrentSupernet(model, temporal_activation_penalty=0.1)
    random = np.random.default_rng(0)
    for weight in supernet.weights:
        weight.assign(0.4 * random.standard_normal(weight.shape))
    config = RecurrentSearchConfig(
        batch_size=4,
        hypergradient=kind,
        momentum=MOMENTUM,
        weight_decay=DECAY,
        clip_norm=CLIP,
        alpha_learning_rate=ALPHA_RATE,
        alpha_weight_decay=ALPHA_DECAY,
        finite_difference_radius=1e-5,  # far from the kinks of relu
    )
    step = BilevelStep(supernet, config)
    step.alphas["cell"].assign(0.5 * random.standard_normal((3, 5)))
    for velocity in step.variables["velocities"]:
        velocity.assign(0.1 * random.standard_normal(velocity.shape))
    batches = [
        tuple(random.integers(12, size=(5, 4), dtype=np.int32) for _ in range(2)) for _ in range(2)
    ]
    return step, batches


def sizes(step):
    return [int(np.prod(weight.shape)) for weight in step.variables["weights"]]


class Reference:
    """Where the step stands, and what it must do next, by differentiating everything as it is."""

    def __init__(self, step, batches):
        variables = step.variables
        self.supernet, (self.train, self.validation) = step.supernet, batches
        self.weights = [tf.constant(v.numpy()) for v in variables["weights"]]
        velocity = np.split(variables["velocities"][0].numpy(), np.cumsum(sizes(step))[:-1])
        self.velocities = [m.reshape(w.shape) for m, w in zip(velocity, self.weights, strict=True)]
        self.alpha = tf.constant(variables["alphas"]["cell"].numpy())
        self.states = {k: tf.constant(v[0].numpy()) for k, v in variables["states"].items()}
        seed = step_seed(step.config.seed, tf.constant(variables["steps"].numpy()), tf.constant(0))
        self.seeds = tf.random.experimental.stateless_split(seed, 4)

    def loss(self, stream, weights, alpha, seed, regularized=False):
        mixing = {"cell": tf.nn.softmax(alpha)}
        batch = self.train if stream == "train" else self.validation
        return self.supernet.loss(
            weights, mixing, batch, self.states[stream], seed, regularized=regularized
        )

    def moved(self, weights, gradients):
        norm = np.sqrt(sum(float(tf.reduce_sum(g**2)) for g in gradients))
        assert norm > CLIP, "the clip bites"
        factor = CLIP / (norm + 1e-6)
        velocities = [
            MOMENTUM * m + factor * g + DECAY * w
            for m, g, w in zip(self.velocities, gradients, weights, strict=True)
        ]
        return [w - RATE * m for w, m in zip(weights, velocities, strict=True)]

    def weight_gradient(self, weights, alpha, seed, **options):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss = self.loss("train", weights, alpha, seed, **options).loss
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, weights)]

    def hypergradient(self, order):
        with tf.GradientTape() as tape:
            tape.watch(self.alpha)
            weights = self.weights
            if order == 2:
                gradients = self.weight_gradient(weights, self.alpha, self.seeds[0])
                weights = self.moved(weights, gradients)
            loss = self.loss("validation", weights, self.alpha, self.seeds[1]).loss
        return tape.gradient(loss, self.alpha)


def check_two_steps(step, batches, kind):
    first = second = 0.0
    for t in (1, 2):
        reference = Reference(step, batches)
        gradient = reference.hypergradient(1 if kind == "first_order" else 2)
        gradient = gradient.numpy() + ALPHA_DECAY * reference.alpha.numpy()
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        scale = ALPHA_RATE * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        alpha = reference.alpha.numpy() - scale * first / (np.sqrt(second) + 1e-8)
        weights = reference.moved(
            reference.weights,
            reference.weight_gradient(
                reference.weights, tf.constant(alpha), reference.seeds[2], regularized=True
            ),
        )
        metrics = step(*batches, RATE)
        tolerance = 1e-6 if kind == "finite_difference" else 1e-10
        np.testing.assert_allclose(step.alphas["cell"].numpy(), alpha, atol=tolerance)
        for ours, theirs in zip(step.variables["weights"], weights, strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs, atol=10 * tolerance)
        assert metrics["finite"] == 1.0


@pytest.mark.slow
@pytest.mark.parametrize(
    "kinds",
    [("first_order", "finite_difference"), pytest.param(("exact",), marks=pytest.mark.long)],
    ids=" and ".join,
)
def test_two_steps(float64, kinds):
    step, batches = make_step(kinds[0])
    beginning = rewound.values(step)
    for kind in kinds:
        rewound.rewind(step, beginning, kind)
        check_two_steps(step, batches, kind)


@pytest.mark.slow
def test_what_is_traced_ahead_is_what_the_step_calls(monkeypatch):
    """Nothing fails in the thread, where nobody would hear of it, and nothing is left over."""
    (step, batches), ahead, moves = make_step("first_order"), set(), []

    def trace_now(losses, *traces):
        for trace in traces:
            trace()
        ahead.update(losses._functions)
        moves.extend(step._weight_moves.advance._list_all_concrete_functions())

    monkeypatch.setattr(SupernetLosses, "trace_meanwhile", trace_now)
    step(*batches, RATE)
    assert len(ahead) == 2 and ahead == set(step._losses._functions) == step._losses._called
    assert len(moves) == len(step._weight_moves.advance._list_all_concrete_functions()) == 1
