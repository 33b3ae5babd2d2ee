"""Edge options beside a relaxation: parameters, factors, and derivatives of both orders."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.support.registries import forget_members
from tf_darts.bilevel.edge_options import EdgeOption
from tf_darts.bilevel.loss import PlainLoss
from tf_darts.bilevel.mixture import Mixture
from tf_darts.bilevel.relaxation import beginning
from tf_darts.bilevel.step import BilevelStep
from tf_darts.config import methods
from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.errors import UserError
from tf_darts.runtime.replicas import SINGLE_REPLICA
from tf_darts.testing import check_supernet
from tf_darts.testing.method import toy_config
from tf_darts.testing.toy_search import ToyImages, ToyNumbers, ToySupernet, toy_image_supernet

BOTH = "partial_channels,edge_normalization"


def batches():
    batch = next(ToyImages().epoch(0))
    return [tf.nest.map_structure(tf.convert_to_tensor, part) for part in batch[:2]]


def test_a_relaxation_sees_its_own_parameters_alone(float64):
    made = toy_config("gdas", edge_options="edge_normalization", alpha_scale=1.0)
    mixture = Mixture(ToySupernet(), made, SINGLE_REPLICA)
    assert list(mixture.alphas) == ["beta_cell", "cell"]
    assert set(mixture.relaxation.mixing(mixture.values(), beginning())) == {"cell"}
    beta = mixture.alphas["beta_cell"].numpy()
    factors = np.exp(beta[1:]) / np.exp(beta[1:]).sum()  # the first node has one edge
    sums = mixture.tables()["cell"].sum(axis=1)
    np.testing.assert_allclose(sums, [1.0, *factors], rtol=1e-12)


@pytest.mark.parametrize("method", ["darts_first", "joint_simultaneous"])
def test_each_parameter_has_its_own_gradient(float64, method):
    """Whatever the order of their names: α's table would not fit a vector of edges."""
    made = toy_config(method, edge_options="edge_normalization", alpha_scale=0.1)
    step = methods.find_method(method).step_class(ToySupernet(), made)
    before = {name: value.numpy() for name, value in step.alphas.items()}
    batch = next(ToyNumbers().epoch(0))
    metrics = step(batch.train, batch.validation, 0.05)
    assert metrics["finite"] == 1
    moved = {name: step.alphas[name].numpy() - value for name, value in before.items()}
    assert moved["beta_cell"][0] == pytest.approx(0.0, abs=0.01 + 0.1 * (method == "darts_first"))
    assert (moved["beta_cell"][1:] != 0).all() and (moved["cell"] != 0).all()


def options_of(name):
    small = {"operations": "skip_connect,nor_conv_3x3"}
    return toy_config("beta_darts", edge_options=name, **small)


@pytest.mark.slow
@pytest.mark.parametrize("options", [BOTH, "auxiliary_skip", f"{BOTH},auxiliary_skip"])
def test_the_implicit_part_is_that_of_the_unrolled_step(float64, eagerly, options):
    """The exact estimate against differentiating through the unrolled step itself."""
    made = dataclasses.replace(options_of(options), alpha_scale=0.5)
    supernet = toy_image_supernet(made)
    mixture = Mixture(supernet, made, SINGLE_REPLICA)
    rate = tf.constant(0.1, tf.float64)

    def loss(batch):
        def evaluate(weights, alphas):
            mixing = mixture.relaxation.mixing(alphas, beginning())
            rows = mixture.losses.arguments(mixing, alphas, beginning())[0]
            result = supernet.loss(weights, rows, batch, (), tf.constant([0, 0]))
            return result.loss, ()

        return evaluate

    train, validation = map(loss, batches())
    weights, alphas = [tf.convert_to_tensor(w) for w in supernet.weights], mixture.values()
    with tf.GradientTape() as outer:
        outer.watch(alphas)
        with tf.GradientTape() as inner:
            inner.watch(weights)
            value, _ = train(weights, alphas)
        slopes = inner.gradient(value, weights, unconnected_gradients="zero")
        moved = [w - rate * slope for w, slope in zip(weights, slopes, strict=True)]
        total, _ = validation(moved, alphas)
    expected = outer.gradient(total, alphas, unconnected_gradients="zero")
    found = HYPERGRADIENTS["exact"].estimate(
        PlainLoss(train),
        PlainLoss(validation),
        weights,
        alphas,
        lambda g: ([w - rate * x for w, x in zip(weights, g, strict=True)], rate),
    )
    for name in alphas:
        np.testing.assert_allclose(found.gradient[name], expected[name], rtol=1e-9, atol=1e-12)
    assert np.abs(np.asarray(found.implicit["cell"])).max() > 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("estimate", ["finite_difference", "exact"])
def test_whole_steps_of_second_order(eagerly, estimate):
    made = dataclasses.replace(options_of(f"{BOTH},auxiliary_skip"), hypergradient=estimate)
    step = BilevelStep(toy_image_supernet(made), made)
    metrics = step(*next(ToyImages().epoch(0))[:2], 0.01)
    assert metrics["finite"] == 1 and metrics["implicit_norm"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("options", [BOTH, "auxiliary_skip", "auxiliary_skip,partial_channels"])
def test_a_supernet_with_options_is_one(float64, options):
    check_supernet(toy_image_supernet(options_of(options)), next(ToyImages().epoch(0)).train)


class Half(EdgeOption):
    """Halves every edge."""

    def edge_factors(self, alphas, moment, cells):
        return {kind: tf.fill([t.edges], tf.cast(0.5, "float64")) for kind, t in cells.items()}


def test_an_option_of_one_s_own(monkeypatch, float64):
    forget_members(monkeypatch)
    methods.register("half")(Half)
    made = toy_config("darts_first", edge_options="half,edge_normalization")
    sums = Mixture(ToySupernet(), made, SINGLE_REPLICA).tables()["cell"].sum(axis=1)
    assert sums[0] == pytest.approx(0.5) and sums[1:].sum() == pytest.approx(0.5)
    assert made.label == "darts_first+half+edge_normalization"
    with pytest.raises(UserError, match="Nothing: gives no edge_factors and no wrapped"):
        methods.register("nothing")(type("Nothing", (EdgeOption,), {}))
