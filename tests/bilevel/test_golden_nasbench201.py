"""The whole search step in NAS-Bench-201's space against an independent float64 implementation.

Its numbers are from the authors' network definitions; see `load_golden`.
"""

import contextlib
import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support import rewound
from tests.support.golden import check_hessian, error, state_of
from tests.support.official_names import nasbench201_official_names
from tf_darts.bilevel import relaxation
from tf_darts.bilevel.loss import PlainLoss
from tf_darts.bilevel.step import BilevelStep
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells.space import find_space
from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.data.facts import ImageFacts
from tf_darts.formats.official_weights import assign_official
from tf_darts.optimization.weight_optimizer import WeightOptimizer
from tf_darts.spaces import fast_forms
from tf_darts.spaces.nasbench201 import make, strings
from tf_darts.spaces.nasbench201.settings import NasBench201SearchConfig

SEED = tf.constant([0, 0])  # nothing is drawn
EXACT, DIFFERENCED = 1e-9, 1e-6  # what float64 must reach


@pytest.fixture(scope="module")
def golden(load_golden):
    return load_golden("nasbench201_supernet")


class Problem:
    """The golden point (w, m, α), its two batches, and the step that would be taken there."""

    def __init__(self, golden):
        self.golden, given = golden, golden["config"]
        self.config = NasBench201SearchConfig(
            channels=given["channels"],
            cells_per_stage=given["cells_per_stage"],
            batch_size=given["batch"],
            finite_difference_radius=given["r"],
        )
        facts = ImageFacts((given["image"], given["image"], 3), given["classes"])
        self.supernet = make.supernet(self.config, facts, find_space("nasbench201").topologies)
        self.names = nasbench201_official_names(self.supernet.model)
        assign_official(self.names, state_of(golden))
        self.dtype = self.supernet.model.dtype
        self.alphas = {"cell": tf.constant(golden["alpha"], self.dtype)}
        self.by_variable = {id(weight.variable): name for name, weight in self.names.items()}
        self.weights = [tf.convert_to_tensor(variable) for variable in self.supernet.weights]
        self.velocities = self.of_vector(
            np.concatenate([golden[f"mom/{name}"].ravel() for name in golden["param_order"]])
        )
        self.batches = {
            part: (
                tf.constant(golden[f"x_{part}"].transpose(0, 2, 3, 1), self.dtype),
                tf.constant(golden[f"y_{part}"], tf.int32),
            )
            for part in ("train", "valid")
        }
        self.rate = tf.constant(given["eta"], self.dtype)

    def optimizer(self, nesterov):
        given = self.golden["config"]
        return WeightOptimizer(
            given["momentum"], given["weight_decay"], given["grad_clip"], nesterov
        )

    def name(self, variable):
        return self.by_variable[id(variable)]

    def of_vector(self, vector):
        """A golden vector of all weights as ours, in our order."""
        parts, start = {}, 0
        for name in self.golden["param_order"]:
            shape = self.names[name].shape
            parts[name] = vector[start : start + np.prod(shape)].reshape(shape)
            start += parts[name].size
        return [
            tf.constant(self.names[self.name(v)].from_official(parts[self.name(v)]), self.dtype)
            for v in self.supernet.weights
        ]

    def flat(self, values, order="param_order", variables=None):
        """Values of all weights as the golden vector has them."""
        official = {
            self.name(variable): self.names[self.name(variable)].to_official(np.asarray(value))
            for variable, value in zip(variables or self.supernet.weights, values, strict=True)
        }
        return np.concatenate([official[name].ravel() for name in self.golden[order]])

    def loss(self, part):
        def evaluate(weights, alphas):
            mixing = relaxation.softmax(alphas)
            result = self.supernet.loss(weights, mixing, self.batches[part], (), SEED)
            return result.loss, result.means

        return PlainLoss(evaluate)

    def gradients(self, part, weights=None):
        return self.loss(part).gradients(self.weights if weights is None else weights, self.alphas)

    def unroll(self, gradients, nesterov=False, factor=None):
        optimizer = self.optimizer(nesterov)
        if factor is None:
            factor = optimizer.clip_factor(tf.linalg.global_norm(gradients))
        moved, _ = optimizer.step(self.weights, self.velocities, gradients, factor, self.rate)
        return moved, optimizer.reach(factor, self.rate)

    def hypergradient(self, kind, nesterov=False):
        chosen = HYPERGRADIENTS[kind]
        return chosen.estimate(
            *(self.loss("train"), self.loss("valid"), self.weights, self.alphas),
            lambda gradients: self.unroll(gradients, nesterov),
            **dict.fromkeys(chosen.settings, self.golden["config"]["r"]),
        )


_made = []


@pytest.fixture(params=["fast", "clear"])
def problem(golden, float64, request):
    """One for the tests in float64 that change nothing in it; by the fast forms and without."""
    if not _made:
        _made.append(Problem(golden))
    with fast_forms.without() if request.param == "clear" else contextlib.nullcontext():
        yield _made[0]


def of(gradient):
    return gradient["cell"].numpy()


def test_every_weight_has_an_official_name(golden, problem):
    weights = {problem.name(variable) for variable in problem.supernet.weights}
    assert weights == set(golden["param_order"])
    assert set(problem.names) - weights == set(golden["buffer_order"])


def test_forward_in_both_modes(golden, float64):
    problem = Problem(golden)  # of its own: a call in training moves the running statistics
    images, _ = problem.batches["train"]
    mixing, model = relaxation.softmax(problem.alphas), problem.supernet.model
    assert error(model(images, mixing), golden["logits_eval"]) < EXACT
    assert error(model(images, mixing, training=True), golden["logits"]) < EXACT
    moved = problem.flat(problem.supernet.statistics, "buffer_order", problem.supernet.statistics)
    assert error(moved, golden["buffers_after_train_forward"]) < EXACT


def test_losses_and_weight_gradients(golden, problem):
    loss, means, gradients, _ = problem.gradients("train")
    assert error(loss, golden["train_loss"]) < EXACT
    right = np.argmax(golden["logits"], axis=-1) == golden["y_train"]
    assert float(means["accuracy"]) == right.mean()
    want = np.concatenate([golden[f"grad/{name}"].ravel() for name in golden["param_order"]])
    # Biases before a batch norm have a gradient of rounding errors only.
    assert np.abs(problem.flat(gradients) - want).max() < EXACT * np.abs(want).max()
    validation, _ = problem.loss("valid").value(problem.weights, problem.alphas)
    assert error(validation, golden["valid_loss"]) < EXACT


def test_first_order(golden, problem):
    result = problem.hypergradient("first_order")
    assert error(of(result.gradient), golden["first_order/alpha"]) < EXACT


@pytest.mark.parametrize("nesterov", [False, True])
def test_unrolled_step(golden, problem, nesterov):
    prefix = "nesterov/" if nesterov else ""
    _, _, gradients, _ = problem.gradients("train")
    norm = tf.linalg.global_norm(gradients)
    assert error(norm, golden["weight_grad_norm"]) < EXACT
    factor = problem.optimizer(nesterov).clip_factor(norm)
    assert error(factor, golden["clip_factor"]) < EXACT
    moved, reach = problem.unroll(gradients, nesterov)
    assert float(reach) == pytest.approx(0.025 * float(factor) * (1.9 if nesterov else 1.0))
    assert error(problem.flat(moved), golden[f"{prefix}theta_unrolled"]) < EXACT
    loss, _, vector, _ = problem.gradients("valid", moved)
    assert error(loss, golden[f"{prefix}unrolled_valid_loss"]) < EXACT
    if not nesterov:
        assert error(problem.flat(vector), golden["vector"]) < EXACT


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize(
    ("kind", "tolerance"), [("finite_difference", DIFFERENCED), ("exact", EXACT)]
)
def test_second_order(golden, problem, kind, tolerance, nesterov):
    prefix = "nesterov/" if nesterov else ""
    result = problem.hypergradient(kind, nesterov)
    assert error(result.validation_loss, golden[f"{prefix}unrolled_valid_loss"]) < EXACT
    assert error(of(result.direct), golden[f"{prefix}direct/alpha"]) < EXACT
    assert error(of(result.implicit), golden[f"{prefix}implicit_{kind}/alpha"]) < tolerance
    assert error(of(result.gradient), golden[f"{prefix}second_order_{kind}/alpha"]) < tolerance
    if kind == "finite_difference":
        assert error(result.epsilon, golden[f"{prefix}epsilon"]) < EXACT


def test_hessian_of_the_validation_loss_by_alpha(golden, problem):
    """Its largest eigenvalue is what a search that is to stop in time looks at."""
    numbers = {
        "/hessian": golden["hessian"],
        "/largest_algebraic": golden["hessian_largest_eigenvalue"],
    }
    check_hessian(problem.loss("valid"), problem.weights, problem.alphas, numbers, "")


def test_the_released_clip_counts_the_gradient_by_alpha(golden, problem):
    """The released searches clip a norm in which α's left-over gradient is too: not a mode here."""
    _, _, of_weights, of_alphas = problem.gradients("train")
    norm = tf.linalg.global_norm([*of_weights, *of_alphas])
    want = {n.split("/")[1]: v for n, v in golden.items() if n.startswith("weights_first_as_rel")}
    assert error(norm, want["grad_norm"]) < EXACT
    factor = problem.optimizer(True).clip_factor(norm)
    assert error(factor, want["clip_factor"]) < EXACT
    moved, _ = problem.unroll(of_weights, nesterov=True, factor=factor)
    loss, _, _, (slope,) = problem.gradients("valid", moved)
    assert error(loss, want["valid_loss"]) < EXACT
    assert error(slope, want["alpha_gradient"]) < EXACT


def started(golden, **changes):
    """A step of a search at the golden point."""
    problem = Problem(golden)
    step = BilevelStep(problem.supernet, dataclasses.replace(problem.config, **changes))
    step.alphas["cell"].assign(golden["alpha"])
    velocity = np.concatenate([np.ravel(value) for value in problem.velocities])
    step.variables["velocities"][0].assign(velocity)
    return problem, step


def test_a_whole_step_of_the_benchmark(golden, float64, eagerly):
    """The space's own settings: w first with Nesterov's momentum, then α at the new w.

    Without compiled functions, which `test_three_whole_steps` has.
    """
    problem, step = started(golden, hypergradient="first_order")
    assert (step.config.step_order, step.config.nesterov) == ("weights_first", True)
    want = {n.split("/")[1]: v for n, v in golden.items() if n.startswith("weights_first/")}
    metrics = step(problem.batches["train"], problem.batches["valid"], float(problem.rate))
    assert error(metrics["train"]["loss"], want["train_loss"]) < EXACT
    clip = 5.0 / (metrics["weight_gradient_norm"] + 1e-6)
    assert error(clip, want["clip_factor"]) < EXACT
    weights = [tf.convert_to_tensor(variable) for variable in problem.supernet.weights]
    assert error(problem.flat(weights), want["theta"]) < EXACT
    assert error(metrics["validation"]["loss"], want["valid_loss"]) < EXACT
    slope = problem.gradients("valid", weights).of_alphas[0]
    assert error(slope, want["alpha_gradient"]) < EXACT
    assert error(metrics["hypergradient_norm"], np.linalg.norm(want["alpha_gradient"])) < EXACT
    # Adam's first step is nearly the gradient's sign.
    assert error(step.alphas["cell"].numpy(), want["alpha"]) < EXACT


@pytest.mark.slow
def test_three_whole_steps(golden, float64):
    """α first and plain momentum, as in the golden steps of the other spaces."""
    problem, step = started(golden, step_order="alpha_first", nesterov=False)
    beginning = rewound.values(step)
    for order, kind in ((1, "first_order"), (2, "finite_difference")):
        rewound.rewind(step, beginning, kind)
        prefix = f"three_steps_order_{order}/"
        want = {n.split("/")[1]: v for n, v in golden.items() if n.startswith(prefix)}
        for i in range(3):
            metrics = step(problem.batches["train"], problem.batches["valid"], float(problem.rate))
            assert error(metrics["train"]["loss"], want["train_loss"][i]) < EXACT, kind
            assert error(step.alphas["cell"].numpy(), want["alpha"][i]) < EXACT, kind
        theta = problem.flat([variable.numpy() for variable in problem.supernet.weights])
        assert error(theta, want["theta"]) < EXACT, kind


def test_derived_cells(shared):
    file = shared / "golden" / "derivations.json"
    if not file.exists():
        pytest.skip(f"no golden numbers: {file.name} is missing")
    cases = json.loads(file.read_text())["nasbench201"]
    cells = find_space("nasbench201").topologies
    assert len(cases) > 3
    for case in cases:
        mixing = {"cell": tf.nn.softmax(tf.constant(case["alpha"], tf.float64)).numpy()}
        (edges,) = derive(mixing, cells).values()
        names = [name for node in edges for name, _ in node]
        assert strings.written(names) == case["cell"]
