"""The joint baselines against formulas written out here."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.simultaneous import SimultaneousStep
from tf_darts.config.methods import find_method
from tf_darts.runtime.seeds import step_seed
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.relaxed.supernet import RecurrentSupernet
from tf_darts.spaces.recurrent.settings import RecurrentSearchConfig

RATE, MOMENTUM, DECAY, CLIP = 0.7, 0.9, 1e-3, 0.05


@pytest.fixture(params=[0.0, MOMENTUM], ids=["plain", "momentum"])
def step(request):
    model = RelaxedLanguageModel(words=12, units=6, nodes=3, output_dropout=0.5)
    supernet = RecurrentSupernet(model, temporal_activation_penalty=0.1)
    random = np.random.default_rng(0)
    for weight in supernet.weights:  # large ones: then α matters
        weight.assign(2.0 * random.standard_normal(weight.shape))
    config = RecurrentSearchConfig(
        batch_size=4,
        method="joint_simultaneous",
        hypergradient="first_order",
        momentum=request.param,
        weight_decay=DECAY,
        clip_norm=CLIP,
    )
    step = find_method(config.method).step_class(supernet, config)
    step.alphas["cell"].assign(0.5 * np.random.default_rng(0).standard_normal((6, 5)))
    return step


def batch():
    random = np.random.default_rng(1)
    return tuple(random.integers(12, size=(5, 4), dtype=np.int32) for _ in range(2))


def gradients(step, data):
    """∇_w (each) and ∇_α of the regularised training loss at the next step's masks."""
    supernet, config = step.supernet, step.config
    seeds = tf.random.experimental.stateless_split(
        step_seed(config.seed, tf.convert_to_tensor(step.steps), tf.constant(0)), 4
    )
    weights = [tf.constant(weight.numpy()) for weight in supernet.weights]
    alpha = tf.constant(step.alphas["cell"].numpy())
    state = tf.convert_to_tensor(step.variables["states"]["train"][0])
    with tf.GradientTape() as tape:
        tape.watch([*weights, alpha])
        mixing = {"cell": tf.nn.softmax(alpha)}
        result = supernet.loss(weights, mixing, data, state, seeds[2], regularized=True)
    found = tape.gradient(result.loss, [*weights, alpha])
    return [tf.convert_to_tensor(gradient).numpy() for gradient in found]


@pytest.mark.slow
def test_simultaneous_moves_alpha_as_one_more_weight(step):
    assert isinstance(step, SimultaneousStep)
    data, momentum = batch(), step.config.momentum
    values = [*(w.numpy() for w in step.supernet.weights), step.alphas["cell"].numpy()]
    velocities = [np.zeros_like(value) for value in values]
    for _ in range(3):
        found = gradients(step, data)
        norm = np.sqrt(sum((g**2).sum() for g in found))
        assert np.linalg.norm(found[-1]) > 0.05 * norm, "α's part of the common norm shows"
        factor = min(1.0, CLIP / norm)
        assert factor < 1, "clipping is on"
        velocities = [
            momentum * m + factor * g + DECAY * v
            for m, g, v in zip(velocities, found, values, strict=True)
        ]
        values = [v - RATE * m for v, m in zip(values, velocities, strict=True)]
        metrics = step(data, data, RATE)
        after = [*(w.numpy() for w in step.supernet.weights), step.alphas["cell"].numpy()]
        for ours, expected in zip(after, values, strict=True):
            np.testing.assert_allclose(ours, expected, rtol=2e-4, atol=2e-6)
        assert metrics["finite"] == 1 and metrics["hypergradient_norm"] > 0
        values = after


def test_simultaneous_does_not_look_at_the_second_batch(eagerly, step):
    data = batch()
    nonsense = tuple(np.zeros_like(part) for part in data)
    step(data, nonsense, RATE)
    with_nonsense = step.alphas["cell"].numpy()
    other = find_method("joint_simultaneous").step_class(step.supernet, step.config)
    assert not np.array_equal(with_nonsense, other.alphas["cell"].numpy())


def test_simultaneous_saves_alphas_velocity(eagerly, step):
    step(batch(), batch(), RATE)
    saved = step.variables["alpha_velocities"]
    assert len(saved) == (1 if step.config.momentum else 0)
    assert all(np.abs(velocity.numpy()).max() > 0 for velocity in saved)
