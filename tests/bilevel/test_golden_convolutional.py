"""The whole convolutional search step against an independent float64 implementation's numbers."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support.golden import check_hessian, error, state_of
from tests.support.official_names import convolutional_official_names
from tf_darts.bilevel import relaxation
from tf_darts.bilevel import strongest_edges as derive
from tf_darts.bilevel.loss import PlainLoss
from tf_darts.bilevel.step import BilevelStep
from tf_darts.cells.genotype import ConvolutionalGenotype
from tf_darts.cells.topologies import convolutional_topology
from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.formats.official_weights import assign_official
from tf_darts.optimization.weight_optimizer import WeightOptimizer
from tf_darts.spaces.convolutional.relaxed.classifier import RelaxedImageClassifier
from tf_darts.spaces.convolutional.relaxed.supernet import ConvolutionalSupernet
from tf_darts.spaces.convolutional.settings import ConvolutionalSearchConfig

SEED = tf.constant([0, 0])  # nothing is drawn
CELLS = ("normal", "reduce")
EXACT, DIFFERENCED = 1e-9, 1e-6  # what float64 must reach


@pytest.fixture(scope="module")
def golden(load_golden):
    return load_golden("conv_supernet")


class Problem:
    """The golden point (w, m, α), its two batches, and the step that would be taken there."""

    def __init__(self, golden):
        config = golden["config"]
        shape = (config["image"], config["image"], 3)
        model = RelaxedImageClassifier(
            config["classes"], config["channels"], config["layers"], seed=0
        )
        self.supernet = ConvolutionalSupernet(model, shape)
        self.names = convolutional_official_names(model)
        state = state_of(golden)
        assign_official(self.names, state)
        self.dtype = model.dtype
        self.alphas = {name: tf.constant(golden[f"alphas_{name}"], self.dtype) for name in CELLS}
        # Ours in our order; the golden vectors have an order of their own.
        self.by_variable = {id(weight.variable): name for name, weight in self.names.items()}
        self.order = list(golden["param_order"])
        self.weights = [tf.convert_to_tensor(variable) for variable in self.supernet.weights]
        self.velocities = [
            tf.constant(self.ours(variable, golden["mom/" + self.name(variable)]), self.dtype)
            for variable in self.supernet.weights
        ]
        self.batches = {
            part: (
                tf.constant(golden[f"x_{part}"].transpose(0, 2, 3, 1), self.dtype),
                tf.constant(golden[f"y_{part}"], tf.int32),
            )
            for part in ("train", "valid")
        }
        self.optimizer = WeightOptimizer(
            config["momentum"], config["weight_decay"], config["grad_clip"]
        )
        self.learning_rate = tf.constant(config["eta"], self.dtype)
        self.radius = config["r"]

    def name(self, variable):
        return self.by_variable[id(variable)]

    def ours(self, variable, value):
        return self.names[self.name(variable)].from_official(value)

    def flat(self, values):
        """Values of all weights as the golden vector has them."""
        official = {
            self.name(variable): self.names[self.name(variable)].to_official(np.asarray(value))
            for variable, value in zip(self.supernet.weights, values, strict=True)
        }
        return np.concatenate([official[name].ravel() for name in self.order])

    def loss(self, part):
        def evaluate(weights, alphas):
            mixing = relaxation.softmax(alphas)
            result = self.supernet.loss(weights, mixing, self.batches[part], (), SEED)
            return result.loss, result.means

        return PlainLoss(evaluate)

    def unroll(self, gradients):
        factor = self.optimizer.clip_factor(tf.linalg.global_norm(gradients))
        moved, _ = self.optimizer.step(
            self.weights, self.velocities, gradients, factor, self.learning_rate
        )
        return moved, self.learning_rate * factor

    def gradients(self, part, weights=None):
        weights = self.weights if weights is None else weights
        return self.loss(part).gradients(weights, self.alphas)

    def hypergradient(self, kind):
        losses, chosen = (self.loss("train"), self.loss("valid")), HYPERGRADIENTS[kind]
        settings = dict.fromkeys(chosen.settings, self.radius)
        return chosen.estimate(*losses, self.weights, self.alphas, self.unroll, **settings)


def errors(gradients, golden, prefix):
    return [error(gradients[name], golden[f"{prefix}/alpha_{name}"]) for name in CELLS]


_made = []


@pytest.fixture
def problem(golden, float64):
    """One for the tests in float64 that change nothing in it."""
    if not _made:
        _made.append(Problem(golden))
    return _made[0]


def test_every_weight_has_an_official_name(golden, problem):
    assert {problem.name(variable) for variable in problem.supernet.weights} == set(problem.order)
    buffers = {n.split("/", 1)[1] for n in golden if n.startswith("buffer/")}
    assert set(problem.names) - set(problem.order) == buffers


@pytest.mark.slow
def test_forward_in_both_modes(golden, problem):
    images, _ = problem.batches["train"]
    mixing, statistics = relaxation.softmax(problem.alphas), problem.supernet.statistics
    beginning = [variable.numpy() for variable in statistics]
    assert error(problem.supernet.model(images, mixing), golden["logits_eval"]) < EXACT
    logits = problem.supernet.model(images, mixing, training=True)
    for variable, value in zip(statistics, beginning, strict=True):  # it has moved them
        assert not np.array_equal(variable, value)
        variable.assign(value)
    assert error(logits, golden["logits"]) < EXACT


@pytest.mark.slow
def test_losses_and_weight_gradients(golden, problem):
    loss, means, gradients, _ = problem.gradients("train")
    assert error(loss, golden["train_loss"]) < EXACT
    right = np.argmax(golden["logits"], axis=-1) == golden["y_train"]
    assert float(means["accuracy"]) == right.mean()
    for variable, gradient in zip(problem.supernet.weights, gradients, strict=True):
        name = problem.name(variable)
        official = problem.names[name].to_official(gradient.numpy())
        want = golden[f"grad/{name}"]
        assert np.linalg.norm(official - want) < EXACT * np.linalg.norm(
            golden["grad/stem.0.weight"]
        )
    validation, _ = problem.loss("valid").value(problem.weights, problem.alphas)
    assert error(validation, golden["valid_loss"]) < EXACT


def test_first_order(golden, problem):
    result = problem.hypergradient("first_order")
    assert max(errors(result.gradient, golden, "first_order")) < EXACT


@pytest.mark.slow
def test_unrolled_step(golden, problem):
    _, _, gradients, _ = problem.gradients("train")
    norm = tf.linalg.global_norm(gradients)
    assert error(norm, golden["weight_grad_norm"]) < EXACT
    assert error(problem.optimizer.clip_factor(norm), golden["clip_factor"]) < EXACT
    moved, _ = problem.unroll(gradients)
    assert error(problem.flat(moved), golden["theta_unrolled"]) < EXACT
    loss, _, vector, _ = problem.gradients("valid", moved)
    assert error(loss, golden["unrolled_valid_loss"]) < EXACT
    assert error(problem.flat(vector), golden["vector"]) < EXACT


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "tolerance"), [("finite_difference", DIFFERENCED), ("exact", EXACT)]
)
def test_second_order(golden, problem, kind, tolerance):
    result = problem.hypergradient(kind)
    assert error(result.validation_loss, golden["unrolled_valid_loss"]) < EXACT
    assert max(errors(result.direct, golden, "direct")) < EXACT
    assert max(errors(result.implicit, golden, f"implicit_{kind}")) < tolerance
    assert max(errors(result.gradient, golden, f"second_order_{kind}")) < tolerance
    if kind == "finite_difference":
        assert error(result.epsilon, golden["epsilon"]) < EXACT


@pytest.mark.long
def test_float32_is_near(golden):
    """As near as the problem allows.

    Where rounding decides the sign of a ReLU's input, or which of two pixels is larger, α's
    gradient moves by 0.3 to 1 %, by the processor. The difference of two such gradients over 2ε is
    off by 5 % then; without the second-order term, by 95 %.
    """
    problem = Problem(golden)
    first = problem.hypergradient("first_order")
    assert max(errors(first.gradient, golden, "first_order")) < 2e-2
    second = problem.hypergradient("finite_difference")
    assert max(errors(second.gradient, golden, "second_order_finite_difference")) < 0.2


# `BilevelStep` takes the golden recurrent steps too, which are compiled in seconds.
@pytest.mark.long
@pytest.mark.parametrize(("order", "kind"), [(1, "first_order"), (2, "finite_difference")])
def test_three_whole_steps(golden, float64, order, kind):
    problem, given = Problem(golden), golden["config"]
    config = ConvolutionalSearchConfig(
        batch_size=given["batch"],
        hypergradient=kind,
        momentum=given["momentum"],
        weight_decay=given["weight_decay"],
        clip_norm=given["grad_clip"],
        finite_difference_radius=given["r"],
        alpha_learning_rate=given["arch_lr"],
        alpha_beta_1=given["arch_betas"][0],
        alpha_beta_2=given["arch_betas"][1],
        alpha_weight_decay=given["arch_weight_decay"],
    )
    step = BilevelStep(problem.supernet, config)
    for name in CELLS:
        step.alphas[name].assign(golden[f"alphas_{name}"])
    velocity = np.concatenate([np.ravel(value) for value in problem.velocities])
    step.variables["velocities"][0].assign(velocity)
    want = {
        n.split("/")[1]: v for n, v in golden.items() if n.startswith(f"three_steps_order_{order}/")
    }
    for i in range(3):
        metrics = step(problem.batches["train"], problem.batches["valid"], given["eta"])
        assert error(metrics["train"]["loss"], want["train_loss"][i]) < EXACT
        for name in CELLS:
            assert error(step.alphas[name].numpy(), want[f"alpha_{name}"][i]) < EXACT
    theta = problem.flat([variable.numpy() for variable in problem.supernet.weights])
    assert error(theta, want["theta"]) < EXACT


def test_all_derived_cells(golden):
    topology = convolutional_topology()
    assert int(golden["geno_n"]) == 23
    for i in range(23):
        mixing = {name: tf.nn.softmax(golden[f"geno_alpha_{name}_{i}"]).numpy() for name in CELLS}
        cells = derive.derive(mixing, {name: topology for name in CELLS})
        expected = ConvolutionalGenotype.from_dict(json.loads(str(golden[f"geno_{i}"])))
        assert ConvolutionalGenotype.from_cells(cells) == expected, f"case {i}"


@pytest.mark.slow
def test_hessian_by_alpha(problem, load_golden):
    """Its largest eigenvalue is what a search that is to stop in time looks at."""
    golden = load_golden("conv_supernet_hessian")
    check_hessian(problem.loss("valid"), problem.weights, problem.alphas, golden, "conv")
