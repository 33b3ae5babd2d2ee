"""PC-DARTS: partial channels and edge normalisation, against an independent implementation."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support.golden import error, state_of
from tests.support.official_names import convolutional_official_names
from tf_darts.bilevel.compiled_loss import SupernetLosses
from tf_darts.bilevel.edge_options import OptionedRelaxation
from tf_darts.bilevel.loss import PlainLoss
from tf_darts.bilevel.relaxation import Moment, Relaxation, beginning, folded
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells.space import find_space
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.formats.official_weights import assign_official
from tf_darts.methods.partial_channels import EdgeNormalization, PartialChannels
from tf_darts.spaces.convolutional.operations.batch_norm import StatisticsLedger
from tf_darts.spaces.convolutional.operations.convolutions import DepthwiseSeparable
from tf_darts.spaces.convolutional.relaxed.cell import MixedOperation, RelaxedCell
from tf_darts.spaces.convolutional.relaxed.classifier import RelaxedImageClassifier
from tf_darts.spaces.convolutional.relaxed.partial_edge import PartialEdge, shuffle
from tf_darts.spaces.convolutional.relaxed.supernet import ConvolutionalSupernet

SEED, EXACT = tf.constant([0, 0]), 1e-9
CELLS = ("normal", "reduce")
OPTIONS = (PartialChannels(), EdgeNormalization())


@pytest.fixture(scope="module")
def golden(load_golden):
    return load_golden("pc_darts_supernet")


class Problem:
    """The golden point (w, α, β) and its two batches."""

    def __init__(self, golden):
        given = golden["config"]
        model = RelaxedImageClassifier(
            given["classes"], given["channels"], given["layers"], seed=0, edge_options=OPTIONS[:1]
        )
        self.supernet = ConvolutionalSupernet(model, (given["image"], given["image"], 3))
        self.names = convolutional_official_names(model)
        assign_official(self.names, state_of(golden))
        tables = {kind: golden[f"alphas_{kind}"] for kind in CELLS}
        betas = {f"beta_{kind}": golden[f"betas_{kind}"] for kind in CELLS}
        self.alphas = {name: tf.constant(value) for name, value in (tables | betas).items()}
        self.relaxation = OptionedRelaxation(Relaxation(), OPTIONS, self.supernet.cells, 50)
        self.losses = SupernetLosses(self.supernet, relaxation=self.relaxation)
        self.weights = [tf.convert_to_tensor(variable) for variable in self.supernet.weights]
        self.batches = {
            part: (
                tf.constant(golden[f"x_{part}"].transpose(0, 2, 3, 1)),
                tf.constant(golden[f"y_{part}"], tf.int32),
            )
            for part in ("train", "valid")
        }

    def rows(self, alphas):
        mixing = self.relaxation.mixing(alphas, beginning())
        return self.losses.arguments(mixing, alphas, beginning())[0]

    def loss(self, part):
        def evaluate(weights, alphas):
            rows = self.rows(alphas)
            result = self.supernet.loss(weights, rows, self.batches[part], (), SEED)
            return result.loss, result.statistics

        return PlainLoss(evaluate)


_made = []


@pytest.fixture
def problem(golden, float64):
    if not _made:
        _made.append(Problem(golden))
    return _made[0]


@pytest.mark.slow
def test_loss_gradients_and_statistics(golden, problem):
    loss, statistics, gradients, _ = problem.loss("train").gradients(
        problem.weights, problem.alphas, of_alphas=False
    )
    assert error(loss, golden["train_loss"]) < EXACT
    by_variable = {id(weight.variable): name for name, weight in problem.names.items()}
    assert set(golden["param_order"]) | set(golden["buffer_order"]) == set(problem.names)
    scale = np.linalg.norm(golden["grad/stem.0.weight"])
    for variable, gradient in zip(problem.supernet.weights, gradients, strict=True):
        name = by_variable[id(variable)]
        official = problem.names[name].to_official(gradient.numpy())
        assert np.linalg.norm(official - golden[f"grad/{name}"]) < EXACT * scale
    moved = {
        by_variable[id(variable)]: np.ravel(value)
        for variable, value in zip(problem.supernet.statistics, statistics, strict=True)
    }
    after = np.concatenate([moved[name] for name in golden["buffer_order"]])
    assert error(after, golden["buffers_after_train_forward"]) < EXACT


def test_hypergradient_of_first_order(golden, problem):
    found = problem.loss("valid").gradients(problem.weights, problem.alphas, of_weights=False)
    assert error(found.value, golden["valid_loss"]) < EXACT
    gradients = dict(zip(sorted(problem.alphas), found.of_alphas, strict=True))
    for kind in CELLS:
        assert error(gradients[kind], golden[f"first_order/alpha_{kind}"]) < EXACT
        assert error(gradients[f"beta_{kind}"], golden[f"first_order/beta_{kind}"]) < EXACT


def test_logits(golden, problem):
    images, rows = problem.batches["train"][0], problem.rows(problem.alphas)
    assert error(problem.supernet.model(images, rows), golden["logits_eval"]) < EXACT
    with StatisticsLedger():
        logits = problem.supernet.model(images, rows, training=True)
    assert error(logits, golden["logits"]) < EXACT


@pytest.mark.parametrize(("stride", "cell"), [(1, 0), (2, 1)])
def test_one_edge(golden, problem, stride, cell):
    edge = problem.supernet.model.cells[cell].edges[0].inner
    inputs = tf.constant(golden[f"edge/stride{stride}_x"].transpose(0, 2, 3, 1))
    mixing = tf.constant(golden[f"edge/stride{stride}_mixing"])
    for row, name in ((mixing, "out"), (0.0 * mixing, "out_mixing_zero")):
        with StatisticsLedger():
            outputs = edge(inputs, row, training=True)
        expected = golden[f"edge/stride{stride}_{name}"].transpose(0, 2, 3, 1)
        assert error(outputs, expected) < EXACT


def test_factors_are_a_softmax_over_the_edges_into_a_node(golden, problem):
    factors = problem.relaxation.edge_factors(problem.alphas, beginning())
    for kind, topology in problem.supernet.cells.items():
        assert error(factors[kind], golden[f"edge_factor/{kind}"]) < EXACT
        for node in range(topology.nodes):
            assert factors[kind].numpy()[topology.rows(node)].sum() == pytest.approx(1, abs=1e-12)


def test_an_edge_without_operations_takes_no_part(float64):
    cells = find_space("nasbench201").topologies
    allowed = np.ones([6, 5])
    allowed[3] = 0.0
    beta = {"beta_cell": tf.constant(np.random.default_rng(0).standard_normal(6))}
    zero = tf.zeros([], tf.float64)
    moment = Moment(SEED, zero, zero, {"cell": tf.constant(allowed)})
    factors = EdgeNormalization().edge_factors(beta, moment, cells)["cell"].numpy()
    free = np.exp(beta["beta_cell"].numpy()[4:])
    np.testing.assert_allclose(factors[3:], [0.0, *free / free.sum()], rtol=1e-12)


def test_derived_cells(shared):
    """A cell is read off softmax(α) times the edges' factors; by α alone it would be another."""
    cases = json.loads((shared / "golden" / "derivations.json").read_text())["pc_darts"]
    cells = {"normal": find_space("convolutional").topologies["normal"]}
    relaxation, others = OptionedRelaxation(Relaxation(), OPTIONS, cells, 50), 0
    for case in cases:
        alphas = {
            "normal": tf.constant(case["alpha"], tf.float64),
            "beta_normal": tf.constant(case["beta"], tf.float64),
        }
        mixing = relaxation.reading(alphas, beginning())
        tables = folded(mixing, relaxation.edge_factors(alphas, beginning()))
        found = [
            derive({"normal": np.asarray(table["normal"])}, cells)["normal"]
            for table in (tables, mixing)
        ]
        ours, alone = ([[n, s] for node in nodes for n, s in node] for nodes in found)
        assert (ours, alone) == (case["cell"], case["cell_of_alpha_alone"])
        others += ours != alone
    assert others == 5


def test_shuffles(golden):
    assert shuffle(tf.range(8)[tf.newaxis], 4).numpy().tolist() == [[0, 2, 4, 6, 1, 3, 5, 7]]
    for name in (name for name in golden if name.startswith("shuffle/")):
        channels, parts = map(int, name.split("/")[1].split("_"))
        values = tf.random.stateless_normal([2, 3, channels], [1, 2])
        there = shuffle(values, parts)
        np.testing.assert_array_equal(there, values.numpy()[..., golden[name]])
        np.testing.assert_array_equal(shuffle(there, channels // parts), values)


def test_one_part_is_the_edge_of_darts():
    cells = [
        RelaxedCell(4, reduction=True, nodes=1, seed=1, edge_options=options)
        for options in ((), [PartialChannels(partial_channels=1)])
    ]
    inputs = [tf.random.stateless_normal([2, 6, 6, 4], [i, 2]) for i in range(2)]
    mixing = tf.random.stateless_uniform([2, 8], [1, 2])
    outputs = []
    tables = mixing, tf.pad(mixing, [[0, 0], [0, 1]], constant_values=1.0)
    for cell, table in zip(cells, tables, strict=True):
        cell.build(tuple(value.shape for value in inputs))
        outputs.append(cell(inputs, table, training=True).numpy())
    np.testing.assert_array_equal(*outputs)


def test_at_odd_sizes_both_parts_of_the_channels_fit():
    edge = PartialEdge(lambda channels: MixedOperation(channels, 2, seed=1), 4, 2, stride=2)
    edge.build((2, 5, 7, 4))
    assert edge(tf.ones([2, 5, 7, 4]), tf.ones([8])).shape == (2, 3, 4, 4)


def test_a_separable_edge_has_fewer_weights_and_products():
    """K² fewer in the pointwise kernels, K fewer in the depthwise ones."""
    sizes = []
    for parts in (1, 4):
        mixed = MixedOperation(16 // parts, primitives=("sep_conv_3x3",), seed=1)
        mixed.build((2, 8, 8, 16 // parts))
        layers = [x for x in mixed._flatten_layers() if isinstance(x, DepthwiseSeparable)]
        kernels = [(x.depthwise_kernel.shape, x.pointwise_kernel.shape) for x in layers]
        sizes.append(np.sum([[np.prod(a), np.prod(b)] for a, b in kernels], axis=0))
    assert (sizes[0] / sizes[1]).tolist() == [4.0, 16.0]


def test_the_method_has_the_papers_settings():
    made = configure({"mode": "search", "dataset": "cifar10", "method": "pc_darts"})
    assert (made.partial_channels, made.batch_size, made.warm_up_epochs) == (4, 256, 15)
    assert (made.weight_learning_rate, made.final_weight_learning_rate) == (0.1, 0.0)
    assert (made.alpha_learning_rate, made.hypergradient, made.label) == (
        *(6e-4, "first_order"),
        "pc_darts",
    )
    other = configure(
        {
            "mode": "search",
            "dataset": "cifar10",
            "method": "beta_darts",
            "space": "nasbench201",
            "edge_options": "partial_channels",
            "operations": "skip_connect,nor_conv_3x3",
            "partial_channels": 2,
        }
    )
    assert other.label == "beta_darts+partial_channels"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"channels": 18},
            r"--partial_channels=4 does not divide --channels=18; give --channels=16 or 20,",
        ),
        ({"channels": 3}, r"give --channels=4, or another --partial_channels\."),
        ({"partial_channels": 0}, "--partial_channels=0: out of range"),
        ({"dataset": "ptb"}, r"--edge_options=partial_channels: .* the space recurrent do not"),
        ({"edge_options": "partial"}, r"--edge_options=partial: not known \(did you mean partial_"),
    ],
)
def test_what_cannot_be_is_a_sentence(settings, sentence):
    with pytest.raises(UserError, match=sentence):
        configure({"mode": "search", "dataset": "cifar10", "method": "pc_darts"} | settings)


def test_edges_compete_in_the_recurrent_space_too():
    asked = {"mode": "search", "dataset": "ptb", "method": "darts_first"}
    made = configure(asked | {"edge_options": "edge_normalization"})
    assert made.label == "darts_first+edge_normalization"


def test_layers_of_an_own_network_are_refused_in_one_sentence():
    with pytest.raises(UserError, match="partial_channels=4 does not divide the 6 channels"):
        RelaxedCell(6, nodes=1, edge_options=OPTIONS[:1])


@pytest.mark.parametrize(
    "part",
    [
        {"derivation": "perturbation"},
        {"derivation": "best_sampled"},
        {"rules": "greedy_decisions"},
    ],
)
def test_what_takes_edges_out_is_refused(part):
    """What passes by the operations would still be there."""
    asked = {"mode": "search", "dataset": "cifar10", "edge_options": "partial_channels"} | part
    (value,) = part.values()
    words = f"={value}: it takes edges out .*--edge_options=partial_channels.*leave one of the two"
    with pytest.raises(UserError, match=words):
        configure(asked)
    configure(asked | {"partial_channels": 1})
    configure(asked | {"edge_options": ""})
    configure(asked | {"space": "nasbench201"})  # where every edge is kept


def test_edges_that_compete_lose_what_passes_too():
    asked = {"mode": "search", "dataset": "cifar10", "rules": "greedy_decisions"}
    configure(asked | {"edge_options": "partial_channels,edge_normalization"})
