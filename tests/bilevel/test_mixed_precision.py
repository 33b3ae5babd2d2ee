"""The search with products in 16 bits: which ones, how far from float32, and scaled losses."""

import dataclasses
import functools
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from tests.support import rewound
from tests.support.rewound import all_variables
from tf_darts.bilevel.compiled_loss import CompiledLoss
from tf_darts.bilevel.loss import PlainLoss
from tf_darts.bilevel.scaled_loss import scaled
from tf_darts.config.methods import find_method
from tf_darts.config.presets import computed_settings
from tf_darts.errors import UserError
from tf_darts.optimization.loss_scale import LossScale
from tf_darts.runtime import precision
from tf_darts.runtime.checkpoints import Checkpoints
from tf_darts.runtime.precision import set_precision
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.spaces.convolutional.relaxed.classifier import RelaxedImageClassifier
from tf_darts.spaces.convolutional.relaxed.supernet import ConvolutionalSupernet
from tf_darts.spaces.convolutional.settings import ConvolutionalSearchConfig
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.relaxed.supernet import RecurrentSupernet
from tf_darts.spaces.recurrent.settings import RecurrentSearchConfig

RADIUS = 1e-2


@pytest.fixture(scope="module", autouse=True)
def _forgotten():
    yield
    _made.cache_clear()


@pytest.fixture(autouse=True)
def every_product_gains(monkeypatch):
    """Small networks have no product that is large enough for a CPU."""
    monkeypatch.setattr(precision, "LEAST_INTENSITY", 0.0)
    yield
    set_precision("float32")


def recurrent_step(name, method="darts"):
    set_precision(name)
    model = RelaxedLanguageModel(words=40, units=16, nodes=2, output_dropout=0.25)
    config = RecurrentSearchConfig(
        batch_size=8,
        hypergradient="first_order",
        method=method,
        momentum=0.5,
        finite_difference_radius=RADIUS,
    )
    return find_method(method).step_class(
        RecurrentSupernet(model, temporal_activation_penalty=0.1), config
    )


def texts():
    random = np.random.default_rng(0)
    while True:
        yield [
            tuple(random.integers(40, size=(6, 8), dtype=np.int32) for _ in range(2))
            for _ in range(2)
        ]


def convolutional_step(name, method="darts"):
    set_precision(name)
    model = RelaxedImageClassifier(classes=4, channels=4, layers=3, nodes=1, seed=0)
    config = ConvolutionalSearchConfig(
        batch_size=16,
        hypergradient="first_order",
        method=method,
        momentum=0.9,
        finite_difference_radius=RADIUS,
    )
    return find_method(method).step_class(ConvolutionalSupernet(model, (8, 8, 3)), config)


def pictures():
    random = np.random.default_rng(0)
    while True:
        yield [
            (
                random.standard_normal((16, 8, 8, 3), np.float32),
                random.integers(4, size=16, dtype=np.int32),
            )
            for _ in range(2)
        ]


SPACES = {
    "recurrent": (recurrent_step, texts, 1.0),
    "convolutional": (convolutional_step, pictures, 0.05),
}


@functools.cache
def _made(space, name, method):
    step = SPACES[space][0](name, method)
    return step, rewound.values(step)


def begun(space, name, kind="first_order", method="darts"):
    """A step at its beginning; what was compiled for one test serves the next."""
    set_precision(name)
    step, beginning = _made(space, name, method)
    rewound.rewind(step, beginning, kind)
    return step


def take(step, space, first, last):
    """Takes the steps from `first` to `last`; returns the last one's metrics."""
    _, batches, rate = SPACES[space]
    for i, (train, validation) in zip(range(last), batches(), strict=False):
        if i >= first:
            metrics = step(train, validation, rate)
    return metrics


def flat(values):
    return np.concatenate([np.ravel(value) for value in tf.nest.flatten(values)])


def weights(step):
    return flat(step.variables["weights"])


def distances(space, name, **settings):
    """How far w and α are from float32's after three steps, over how far they have gone."""
    points = []
    for precision_name, steps in (("float32", 0), ("float32", 3), (name, 3)):
        step = begun(space, precision_name, **settings)
        metrics = take(step, space, 0, steps) if steps else {"finite": 1.0}
        points.append([flat(step.variables[part]) for part in ("weights", "alphas")])
    assert metrics["finite"] == 1.0
    assert {variable.dtype for variable in all_variables(step)} <= {tf.float32, tf.int64}
    for start, wanted, got in zip(*points, strict=True):
        yield np.linalg.norm(got - wanted) / np.linalg.norm(wanted - start)


# Adam's first steps move every entry of α by about the rate, whatever its gradient: where that is
# near 0 the rounding decides.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings", "tolerances"),
    [
        ("mixed_bfloat16", {"kind": "first_order"}, (0.05, 0.35)),
        pytest.param(
            *("mixed_bfloat16", {"kind": "finite_difference"}, (0.05, 0.35)), marks=pytest.mark.long
        ),
        pytest.param("mixed_bfloat16", {"kind": "exact"}, (0.05, 0.35), marks=pytest.mark.long),
        ("mixed_bfloat16", {"method": "joint_simultaneous"}, (0.05, 0.05)),
        ("mixed_float16", {"kind": "finite_difference"}, (0.01, 0.1)),
        pytest.param("mixed_float16", {"kind": "exact"}, (0.01, 0.1), marks=pytest.mark.long),
    ],
)
def test_recurrent_near_float32(name, settings, tolerances):
    found = tuple(distances("recurrent", name, **settings))
    assert all(0.0 < d < t for d, t in zip(found, tolerances, strict=True)), found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "tolerances"),
    [
        # Much is compiled; what is in 16 bits there is looked at below.
        pytest.param("mixed_bfloat16", "finite_difference", (0.2, 0.5), marks=pytest.mark.long),
        pytest.param("mixed_float16", "exact", (0.1, 0.4), marks=pytest.mark.long),
    ],
)
def test_convolutional_near_float32(name, kind, tolerances):
    found = tuple(distances("convolutional", name, kind=kind))
    assert all(0.0 < d < t for d, t in zip(found, tolerances, strict=True)), found


def operations(step, batches):
    """What computes a step's loss and its gradients, outside of loops."""
    supernet, batch = step.supernet, tf.nest.map_structure(tf.constant, next(batches)[0])

    def loss(weights, alphas):
        mixing = {name: tf.nn.softmax(table) for name, table in alphas.items()}
        state, seed = supernet.initial_state(8), tf.constant([1, 2])
        return supernet.loss(weights, mixing, batch, state, seed).loss, ()

    def run():
        weights = [tf.convert_to_tensor(weight) for weight in supernet.weights]
        alphas = {name: tf.convert_to_tensor(alpha) for name, alpha in step.alphas.items()}
        return PlainLoss(loss).gradients(weights, alphas)

    function = tf.function(run, autograph=False).get_concrete_function()
    return function.graph.get_operations()


@pytest.mark.slow
def test_what_the_recurrent_search_computes_in_16_bits():
    """The decoder and its gradient; the relaxed cell, which amplifies rounding, never."""
    step = recurrent_step("mixed_bfloat16")
    found = operations(step, texts())
    products = [op for op in found if op.type == "MatMul"]
    decoder = [op for op in products if any(40 in x.shape for x in op.inputs)]
    assert [op.get_attr("T") for op in decoder] == [tf.bfloat16] * 3
    assert {op.get_attr("T") for op in products if op not in decoder} == {tf.float32}
    assert [op.get_attr("T") for op in found if op.type == "Softmax"] == [tf.float32] * 2
    with precision.using(precision.current().full):
        tensors = [x for op in operations(step, texts()) for x in op.outputs]
    assert tf.bfloat16 not in {x.dtype for x in tensors}


@pytest.mark.slow
def test_what_the_convolutional_search_computes_in_16_bits():
    """All between the images and the pooled features; moments, head and loss are float32."""
    found = operations(convolutional_step("mixed_bfloat16"), pictures())

    def types(kind, attribute="T"):
        return [op.get_attr(attribute) for op in found if op.type == kind]

    for kind in ("DepthwiseConv2dNative", "Conv2D", "FusedBatchNormV3", "MaxPool", "AvgPool"):
        assert set(types(kind)) == {tf.bfloat16}, kind
    assert set(types("FusedBatchNormV3", "U")) == {tf.float32}
    products = types("MatMul")
    assert products.count(tf.float32) == 3  # the head, forward and both gradients
    assert products.count(tf.bfloat16) > 30
    # In parts where another test has asked for deterministic operations.
    losses = types("SparseSoftmaxCrossEntropyWithLogits") or types("LogSoftmax")
    assert losses == [tf.float32]


@pytest.mark.slow
def test_the_sides_of_the_finite_difference_are_float32():
    step, in_full = begun("recurrent", "mixed_float16", "finite_difference"), []
    gradients = CompiledLoss.gradients

    def watched(loss, *arguments, **wanted):
        in_full.append((loss.precision.compute == "float32", loss.factor is None))  # both or none
        return gradients(loss, *arguments, **wanted)

    with mock.patch.object(CompiledLoss, "gradients", watched):
        take(step, "recurrent", 0, 1)
    mixed, full = (False, False), (True, True)
    assert in_full == [mixed, mixed, full, full, mixed]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param("mixed_bfloat16", marks=pytest.mark.long), "mixed_float16"]
)
def test_finite_difference_against_exact(name):
    """In the same precision, the second-order term to 3 %."""
    found = {}
    for kind in ("finite_difference", "exact"):
        step = begun("recurrent", name, kind)
        found[kind] = take(step, "recurrent", 0, 1)
    approximate, exact = (found[kind]["implicit_norm"] for kind in ("finite_difference", "exact"))
    assert approximate == pytest.approx(exact, rel=0.03)
    assert exact > 0.0


@pytest.mark.slow
def test_an_overflow_halves_the_scale_and_nothing_else():
    """A scale that is far too large: the same step as with a good one, no rollback."""
    good = begun("recurrent", "mixed_float16", "finite_difference")
    good_metrics = take(good, "recurrent", 0, 1)
    good_weights, good_alphas = weights(good), flat(good.variables["alphas"])
    huge = begun("recurrent", "mixed_float16", "finite_difference")
    huge.variables["loss_scale"]["value"].assign(2.0**40)
    metrics = take(huge, "recurrent", 0, 1)
    assert metrics["finite"] == good_metrics["finite"] == 1.0
    scale = float(huge.variables["loss_scale"]["value"])
    assert metrics["loss_scale"] == scale
    assert 2.0**10 < scale < 2.0**30
    assert good_metrics["loss_scale"] == LossScale.INITIAL
    assert int(huge.steps) == 1
    np.testing.assert_allclose(weights(huge), good_weights, atol=1e-4)
    np.testing.assert_allclose(flat(huge.variables["alphas"]), good_alphas, atol=1e-4)


def test_a_diverged_loss_is_not_the_scales_fault():
    step = begun("recurrent", "mixed_float16")
    step.supernet.weights[0].assign(np.full(step.supernet.weights[0].shape, np.nan))
    assert take(step, "recurrent", 0, 1)["finite"] == 0.0
    assert float(step.variables["loss_scale"]["value"]) == LossScale.INITIAL


def small_loss(weights, alphas):
    """1e-9·Σ α w² with products in float16: its slopes there are below 6e-8."""
    w, a = (tf.cast(value, tf.float16) for value in (weights[0], alphas["cell"]))
    return 1e-9 * tf.reduce_sum(tf.cast(a * w * w, tf.float32)), ()


def test_small_gradients_need_the_scale():
    w, alphas = tf.constant([1.0, 2.0]), {"cell": tf.constant([3.0, 0.5])}
    loss = PlainLoss(small_loss)
    assert scaled(loss, None) is loss
    for taken, found in ((loss, False), (scaled(loss, LossScale()), True)):
        value, _, (by_w,), (by_alpha,) = taken.gradients([w], alphas)
        (mixed,) = taken.mixed_product([w], alphas, [tf.constant([1.0, -1.0])])
        np.testing.assert_array_equal(taken.value([w], alphas)[0], value)
        np.testing.assert_allclose(value, 5e-9, rtol=1e-3)
        for slope, wanted in (
            (by_w, [6e-9, 2e-9]),
            (by_alpha, [1e-9, 4e-9]),
            (mixed, [2e-9, -4e-9]),
        ):
            np.testing.assert_allclose(slope, np.array(wanted) * found, rtol=1e-2)


@pytest.mark.slow
def test_resumed_exactly(tmp_path, monkeypatch):
    """With a scale that changes on the way: five steps, or a checkpoint of two, and three."""
    monkeypatch.setattr(LossScale, "GROWTH_STEPS", 3)
    whole = begun("recurrent", "mixed_float16", "finite_difference")
    take(whole, "recurrent", 0, 2)
    Checkpoints(tmp_path, whole.variables).save(2)
    take(whole, "recurrent", 2, 5)
    second = recurrent_step("mixed_float16")  # which knows nothing of the other
    second.config = whole.config
    second.variables["loss_scale"]["value"].assign(1.0)
    assert Checkpoints(tmp_path, second.variables).restore()
    take(second, "recurrent", 2, 5)
    assert float(second.variables["loss_scale"]["value"]) == 2 * LossScale.INITIAL
    for one, other in zip(all_variables(second), all_variables(whole), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("other", ["float32", "mixed_bfloat16"])
def test_a_run_keeps_its_precision(tmp_path, other):
    config = RecurrentSearchConfig(precision="mixed_float16")
    RunDirectory(tmp_path / "run", computed_settings(config)).close()
    changed = dataclasses.replace(config, precision=other)
    with pytest.raises(UserError, match="precision"):
        RunDirectory(tmp_path / "run", computed_settings(changed))
