"""Training with products in 16 bits: which ones, how far from float32, and the scaled loss."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.cells.published import PUBLISHED
from tf_darts.config.presets import PRESETS
from tf_darts.optimization.loss_scale import LossScale
from tf_darts.runtime import precision
from tf_darts.runtime.checkpoints import Checkpoints
from tf_darts.runtime.precision import set_precision
from tf_darts.spaces.convolutional.make import image_objective
from tf_darts.spaces.recurrent.make import language_objective
from tf_darts.training.evaluator import Evaluator
from tf_darts.training.step import TrainingStep


@pytest.fixture(autouse=True)
def every_product_gains(monkeypatch):
    """Small networks have no product that is large enough for a CPU."""
    monkeypatch.setattr(precision, "LEAST_INTENSITY", 0.0)
    yield
    set_precision("float32")


def texts(name):
    set_precision(name)
    config = dataclasses.replace(PRESETS["train", "ptb"], batch_size=8, units=16, momentum=0.5)
    network = language_objective(config, PUBLISHED["recurrent"]["darts_v2"], words=40)
    return TrainingStep(network, config, averages=True)


def pictures(name):
    set_precision(name)
    config = dataclasses.replace(
        PRESETS["train", "cifar10"], batch_size=8, channels=4, layers=3, auxiliary_weight=0.0
    )
    cell = PUBLISHED["convolutional"]["darts_v2"]
    return TrainingStep(image_objective(config, cell, (8, 8, 3), classes=4), config, averages=False)


def batch(make, i):
    random = np.random.default_rng(i)
    if make is texts:
        return tuple(random.integers(40, size=(6, 8), dtype=np.int32) for _ in range(2))
    images = random.standard_normal((8, 8, 8, 3), np.float32)
    return images, random.integers(4, size=8, dtype=np.int32)


RATES = {texts: 1.0, pictures: 0.05}


def take(make, step, first, last):
    for i in range(first, last):
        metrics = step(batch(make, i), RATES[make], 0.5)
    return metrics


def flat(values):
    return np.concatenate([np.ravel(value) for value in tf.nest.flatten(values)])


@functools.cache
def of_float32(make):
    """The weights where a training begins, and those after three steps."""
    step = make("float32")
    begun = flat(step.variables["weights"])
    take(make, step, 0, 3)
    return begun, flat(step.variables["weights"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "name", "tolerance"),
    [
        (texts, "mixed_bfloat16", 0.03),
        (texts, "mixed_float16", 0.01),
        (pictures, "mixed_bfloat16", 0.3),
        (pictures, "mixed_float16", 0.1),
    ],
)
def test_near_float32(make, name, tolerance):
    """After three steps, of how far w has moved."""
    begun, wanted = of_float32(make)
    found = make(name)
    metrics = take(make, found, 0, 3)
    assert metrics["finite"] == 1.0
    assert {v.dtype for v in tf.nest.flatten(found.variables)} <= {tf.float32, tf.int64, tf.bool}
    got = flat(found.variables["weights"])
    assert 0.0 < np.linalg.norm(got - wanted) / np.linalg.norm(wanted - begun) < tolerance


def outside_loops(step, make):
    network, given = step.objective, tf.nest.map_structure(tf.constant, batch(make, 0))

    def run():
        state = network.initial_state(8)
        return network.loss(given, state, tf.constant([1, 2]), tf.constant(0.5)).loss

    graph = tf.function(run, autograph=False).get_concrete_function().graph
    return [(op.type, op.get_attr("T")) for op in graph.get_operations() if "T" in op.node_def.attr]


def test_what_a_language_model_computes_in_16_bits():
    found = outside_loops(texts("mixed_bfloat16"), texts)
    assert [kind for kind in found if kind[0] == "MatMul"] == [("MatMul", tf.bfloat16)] * 2
    assert ("Softmax", tf.float32) in found


def test_what_an_image_network_computes_in_16_bits():
    found = outside_loops(pictures("mixed_bfloat16"), pictures)
    for kind in ("DepthwiseConv2dNative", "Conv2D", "FusedBatchNormV3", "AddN"):
        assert {dtype for name, dtype in found if name == kind} == {tf.bfloat16}, kind
    products = [dtype for kind, dtype in found if kind == "MatMul"]
    assert products.count(tf.float32) == 1  # the classifier
    assert products.count(tf.bfloat16) > 10
    # TensorFlow takes the loss in parts where another test has asked for deterministic operations.
    assert {("SoftmaxCrossEntropyWithLogits", tf.float32), ("LogSoftmax", tf.float32)} & set(found)


def test_evaluated_in_the_training_s_precision():
    """Whatever is made afterwards."""
    scores = []
    for name in ("float32", "mixed_bfloat16", "float32"):
        step = texts(name)
        evaluator = Evaluator(step.objective)
        set_precision("mixed_bfloat16")
        scores.append(evaluator.scores([batch(texts, 0)], 8, averaged=False)["loss"])
    assert scores[0] == scores[2] != scores[1]
    assert scores[1] == pytest.approx(scores[0], rel=1e-3)


@pytest.mark.parametrize("make", [texts, pictures])
def test_an_overflow_halves_the_scale_and_nothing_else(make):
    good, huge = make("mixed_float16"), make("mixed_float16")
    huge.variables["loss_scale"]["value"].assign(2.0**40)
    for step in (good, huge):
        assert take(make, step, 0, 1)["finite"] == 1.0
        assert int(step.steps) == 1
    scale = float(huge.variables["loss_scale"]["value"])
    assert LossScale.LEAST < scale < 2.0**40
    for part, tolerance in (("weights", 1e-3), ("statistics", 1e-6), ("state", 1e-6)):
        if good.variables[part]:
            one, other = (flat(step.variables[part]) for step in (good, huge))
            np.testing.assert_allclose(one, other, atol=tolerance, err_msg=part)


def test_a_diverged_loss_is_not_the_scales_fault():
    step = texts("mixed_float16")
    weight = step.variables["weights"][0]
    weight.assign(np.full(weight.shape, np.nan))
    assert take(texts, step, 0, 1)["finite"] == 0.0
    assert float(step.variables["loss_scale"]["value"]) == LossScale.INITIAL


def test_resumed_exactly(tmp_path, monkeypatch):
    """With a scale that changes on the way: five steps, or two, a checkpoint, and three."""
    monkeypatch.setattr(LossScale, "GROWTH_STEPS", 3)
    whole, first, second = (texts("mixed_float16") for _ in range(3))
    take(texts, whole, 0, 5)
    take(texts, first, 0, 2)
    Checkpoints(tmp_path, first.variables).save(2)
    second.variables["loss_scale"]["value"].assign(1.0)
    assert Checkpoints(tmp_path, second.variables).restore()
    take(texts, second, 2, 5)
    assert float(second.variables["loss_scale"]["value"]) == 2 * LossScale.INITIAL
    both = (tf.nest.flatten(step.variables) for step in (second, whole))
    for one, other in zip(*both, strict=True):
        np.testing.assert_array_equal(one, other)
