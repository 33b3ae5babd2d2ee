"""The whole search step against numbers from an independent float64 implementation."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support import rewound
from tests.support.golden import check_hessian, error, state_of
from tests.support.official_names import recurrent_official_names
from tf_darts.bilevel import relaxation
from tf_darts.bilevel import strongest_edges as derive
from tf_darts.bilevel.loss import PlainLoss
from tf_darts.bilevel.step import BilevelStep
from tf_darts.cells.genotype import RecurrentGenotype
from tf_darts.cells.topologies import recurrent_topology
from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.formats.official_weights import assign_official
from tf_darts.optimization.weight_optimizer import WeightOptimizer
from tf_darts.spaces.fast_forms import without
from tf_darts.spaces.recurrent.relaxed.cell import RelaxedRecurrentCell
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.relaxed.supernet import RecurrentSupernet
from tf_darts.spaces.recurrent.settings import RecurrentSearchConfig

SEED = tf.constant([0, 0])  # there is no dropout: nothing is drawn
EXACT, DIFFERENCED = 1e-9, 1e-6  # what float64 must reach


@pytest.fixture(scope="module")
def golden(load_golden):
    return load_golden("recurrent_supernet")


def make_supernet(golden):
    model = RelaxedLanguageModel(golden["config"]["ntokens"], golden["config"]["nhid"])
    supernet = RecurrentSupernet(model, temporal_activation_penalty=golden["config"]["beta"])
    state = state_of(golden)
    assign_official(recurrent_official_names(model), state)
    return supernet


class Problem:
    """The golden point (w, α), its two batches, and the step that would be taken there."""

    def __init__(self, golden):
        config = golden["config"]
        self.supernet = make_supernet(golden)
        dtype = self.supernet.model.dtype
        self.alphas = {"cell": tf.constant(golden["alpha"], dtype)}
        self.weights = [tf.convert_to_tensor(variable) for variable in self.supernet.weights]
        self.batches = {
            part: tuple(tf.constant(golden[f"{axis}_{part}"], tf.int32) for axis in "xy")
            for part in ("train", "valid")
        }
        self.hidden = {
            part: tf.constant(golden[f"hidden_{part}"][0], dtype) for part in ("train", "valid")
        }
        self.optimizer = WeightOptimizer(0.0, config["wdecay"], config["clip"])
        self.learning_rate = tf.constant(config["eta"], dtype)
        self.radius = config["r"]

    def loss(self, part, regularized=False):
        def evaluate(weights, alphas):
            result = self.supernet.loss(
                weights,
                relaxation.softmax(alphas),
                self.batches[part],
                self.hidden[part],
                SEED,
                regularized=regularized,
            )
            return result.loss, result.state

        return PlainLoss(evaluate)

    def unroll(self, gradients):
        factor = self.optimizer.clip_factor(tf.linalg.global_norm(gradients))
        moved, _ = self.optimizer.step(self.weights, [], gradients, factor, self.learning_rate)
        return moved, self.learning_rate * factor

    def hypergradient(self, kind):
        losses, chosen = (self.loss("train"), self.loss("valid")), HYPERGRADIENTS[kind]
        settings = dict.fromkeys(chosen.settings, self.radius)
        return chosen.estimate(*losses, self.weights, self.alphas, self.unroll, **settings)


@pytest.fixture
def problem(golden, float64, eagerly):
    """Without compiled functions, which `test_three_whole_steps` has."""
    return Problem(golden)


@pytest.mark.slow
@pytest.mark.parametrize("training", [True, False])
def test_forward(golden, problem, training):
    logits, hidden = problem.supernet.model(
        problem.batches["train"][0],
        problem.hidden["train"],
        tf.nn.softmax(problem.alphas["cell"]),
        seed=SEED,
        training=training,
    )
    name = "log_prob" if training else "log_prob_eval"
    assert error(tf.nn.log_softmax(logits), golden[name]) < EXACT
    if training:
        assert error(hidden, golden["hidden_next"][0]) < EXACT


def test_outputs_of_the_cell(golden, problem):
    features = problem.supernet.model.features(
        problem.batches["train"][0],
        problem.hidden["train"],
        tf.nn.softmax(problem.alphas["cell"]),
        seed=SEED,
        training=True,
    )
    assert error(features.outputs, golden["rnn_h"]) < EXACT


@pytest.mark.slow
def test_losses_and_weight_gradients(golden, problem):
    loss, _, gradients, _ = problem.loss("train").gradients(problem.weights, problem.alphas)
    assert error(loss, golden["train_loss"]) < EXACT
    for gradient, name in zip(gradients, golden["param_order"], strict=True):
        assert error(gradient, golden[f"grad/{name}"]) < EXACT, name
    regularized, _ = problem.loss("train", regularized=True).value(problem.weights, problem.alphas)
    assert error(regularized, golden["train_loss_reg"]) < EXACT
    validation, _ = problem.loss("valid").value(problem.weights, problem.alphas)
    assert error(validation, golden["valid_loss"]) < EXACT


@pytest.mark.slow
def test_first_order(golden, problem):
    result = problem.hypergradient("first_order")
    assert error(result.gradient["cell"], golden["first_order/alpha"]) < EXACT


def test_unrolled_step(golden, problem):
    _, _, gradients, _ = problem.loss("train").gradients(problem.weights, problem.alphas)
    norm = tf.linalg.global_norm(gradients)
    assert error(norm, golden["weight_grad_norm"]) < EXACT
    assert error(problem.optimizer.clip_factor(norm), golden["clip_factor"]) < EXACT
    moved, _ = problem.unroll(gradients)
    flat = np.concatenate([weight.numpy().ravel() for weight in moved])
    assert error(flat, golden["theta_unrolled"]) < EXACT
    loss, _, vector, _ = problem.loss("valid").gradients(moved, problem.alphas)
    assert error(loss, golden["unrolled_valid_loss"]) < EXACT
    flat = np.concatenate([gradient.numpy().ravel() for gradient in vector])
    assert error(flat, golden["vector"]) < EXACT


@pytest.mark.slow
def test_second_order(golden, problem):
    result = problem.hypergradient("finite_difference")
    check_second_order(result, golden, "finite_difference", DIFFERENCED)
    assert error(result.epsilon, golden["epsilon"]) < EXACT


@pytest.mark.slow
def test_exact_second_order(golden, float64):
    """As one graph: eagerly it takes twice as long."""
    problem = Problem(golden)
    result = tf.function(lambda: problem.hypergradient("exact"), autograph=False)()
    check_second_order(result, golden, "exact", EXACT)


def check_second_order(result, golden, kind, tolerance):
    assert error(result.validation_loss, golden["unrolled_valid_loss"]) < EXACT
    assert error(result.direct["cell"], golden["direct/alpha"]) < EXACT
    assert error(result.implicit["cell"], golden[f"implicit_{kind}/alpha"]) < tolerance
    assert error(result.gradient["cell"], golden[f"second_order_{kind}/alpha"]) < tolerance


@pytest.mark.long
def test_float32_is_near(golden, eagerly):
    problem = Problem(golden)
    first = problem.hypergradient("first_order")
    assert error(first.gradient["cell"], golden["first_order/alpha"]) < 1e-4
    second = problem.hypergradient("finite_difference")
    name = "second_order_finite_difference/alpha"
    assert error(second.gradient["cell"], golden[name]) < 5e-3


@pytest.mark.slow
def test_three_whole_steps(golden, float64):
    given = golden["config"]
    config = RecurrentSearchConfig(
        batch_size=given["batch"],
        hypergradient="first_order",
        weight_decay=given["wdecay"],
        clip_norm=given["clip"],
        alpha_learning_rate=given["arch_lr"],
        alpha_weight_decay=given["arch_wdecay"],
        finite_difference_radius=given["r"],
    )
    supernet = make_supernet(golden)
    step = BilevelStep(supernet, config)
    step.alphas["cell"].assign(golden["alpha"])
    for stream, part in (("train", "train"), ("validation", "valid")):
        step.variables["states"][stream][0].assign(golden[f"hidden_{part}"][0])
    batches = [
        tuple(golden[f"{axis}_{part}"].astype(np.int32) for axis in "xy")
        for part in ("train", "valid")
    ]
    beginning = rewound.values(step)
    for order, kind in ((1, "first_order"), (2, "finite_difference")):
        rewound.rewind(step, beginning, kind)
        prefix = f"three_steps_order_{order}/"
        want = {n.split("/")[1]: v for n, v in golden.items() if n.startswith(prefix)}
        for i in range(3):
            metrics = step(*batches, given["eta"])
            assert error(metrics["train"]["loss"], want["train_loss"][i]) < EXACT, kind
            assert error(step.alphas["cell"].numpy(), want["alpha"][i]) < EXACT, kind
        theta = np.concatenate([variable.numpy().ravel() for variable in supernet.weights])
        assert error(theta, want["theta"]) < EXACT, kind
        states = step.variables["states"]
        assert error(states["train"][0].numpy(), want["hidden_train"][0]) < EXACT, kind
        assert error(states["validation"][0].numpy(), want["hidden_valid"][0]) < EXACT, kind


def test_all_derived_cells(golden):
    topology = recurrent_topology()
    assert int(golden["geno_n"]) == 23
    for i in range(23):
        mixing = tf.nn.softmax(golden[f"geno_alpha_{i}"]).numpy()
        cells = derive.derive({"cell": mixing}, {"cell": topology})
        expected = RecurrentGenotype.from_dict(json.loads(str(golden[f"geno_{i}"])))
        assert RecurrentGenotype.from_cells(cells) == expected, f"case {i}"


@pytest.mark.slow
def test_hessian_by_alpha(problem, load_golden):
    """Its largest eigenvalue is what a search that is to stop in time looks at."""
    golden = load_golden("conv_supernet_hessian")
    with without(RelaxedRecurrentCell):  # its second derivatives are in `test_second_order`
        check_hessian(problem.loss("valid"), problem.weights, problem.alphas, golden, "recurrent")
