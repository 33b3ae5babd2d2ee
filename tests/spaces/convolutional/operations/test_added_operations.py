"""Operations that are added to the space."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.cells import genotype
from tf_darts.cells.genotype import CONVOLUTIONAL_PRIMITIVES, ConvolutionalGenotype
from tf_darts.cells.published import PUBLISHED
from tf_darts.cells.topologies import TOPOLOGIES
from tf_darts.errors import UserError
from tf_darts.runs.search import added_operations
from tf_darts.spaces.convolutional.derived.counts import multiply_adds, weight_count
from tf_darts.spaces.convolutional.derived.objective import CifarNetwork
from tf_darts.spaces.convolutional.operations.base import Operation
from tf_darts.spaces.convolutional.operations.registry import ADDED, OPERATIONS, add_operation
from tf_darts.spaces.convolutional.relaxed.cell import RelaxedCell
from tf_darts.spaces.convolutional.relaxed.classifier import RelaxedImageClassifier
from tf_darts.spaces.convolutional.relaxed.supernet import ConvolutionalSupernet
from tf_darts.spaces.fast_forms import without


class Scale(Operation):
    """A weight for each channel."""

    def build(self, input_shape):
        self.factor = self.add_weight(name="factor", shape=(input_shape[-1],), initializer="ones")

    def call(self, inputs, training=False):
        del training
        return self.factor * inputs[:, :: self.stride, :: self.stride]

    def weight_uses(self, input_shape):
        return [(input_shape[-1], 0)]


class Miscounted(Scale):
    def weight_uses(self, input_shape):
        return []


class Uncounted(Scale):
    weight_uses = Operation.weight_uses


class WithoutAffine(Operation):
    def __init__(self, stride=1, seed=None):
        super().__init__(stride, True, seed)


class Broken(Scale):
    def call(self, inputs, training=False):
        return self.missing * inputs


class Unpaired(Scale):
    def weight_uses(self, input_shape):
        return [4]


class TooLarge(Scale):
    def call(self, inputs, training=False):
        return self.factor * inputs


@pytest.fixture(autouse=True)
def forget():
    """Takes out again what a test has added."""
    yield
    for name in [*ADDED]:
        del ADDED[name], OPERATIONS[name]
    genotype._added["convolutional"].clear()


def small_supernet():
    model = RelaxedImageClassifier(classes=3, channels=2, layers=3, seed=0)
    return ConvolutionalSupernet(model, (8, 8, 1))


@pytest.mark.slow
def test_searches_try_it():
    assert added_operations(small_supernet().cells) == {}
    add_operation("scale", Scale)
    supernet = small_supernet()
    assert added_operations(supernet.cells) == {"added_operations": ["scale"]}
    for topology in (*supernet.cells.values(), *TOPOLOGIES["convolutional"].values()):
        assert topology.operations == (*CONVOLUTIONAL_PRIMITIVES, "scale")
    cell = supernet.model.cells[0]
    inputs = tf.random.stateless_normal([2, 8, 8, 6], [1, 2])
    mixing = np.float32(np.eye(9)[[8] * 14])  # nothing but the new operation
    pair = (inputs, inputs)
    with without(RelaxedCell):
        clear = cell(pair, mixing, training=True)
    np.testing.assert_allclose(cell(pair, mixing, training=True), clear, atol=1e-5)


def test_cells_may_have_it_and_are_counted():
    add_operation("scale", Scale)
    cells = PUBLISHED["convolutional"]["darts_v2"].to_dict()
    for edges in (cells["normal"], cells["reduce"]):
        edges[0][0] = edges[3][0] = "scale"
    cell = ConvolutionalGenotype.from_dict(cells)
    network = CifarNetwork(cell, 3, channels=4, layers=3, auxiliary=False)
    network.build((None, 8, 8, 1))
    made = sum(int(np.prod(v.shape)) for v in network.trainable_variables)
    assert weight_count(network, image_channels=1) == made
    papers = CifarNetwork(PUBLISHED["convolutional"]["darts_v2"], 3, channels=4, layers=3)
    assert multiply_adds(network, 8) < multiply_adds(papers, 8)


@pytest.mark.parametrize(
    ("name", "layer", "sentence"),
    [
        ("sep_conv_3x3", Scale, "there is an operation 'sep_conv_3x3' already"),
        ("", Scale, "add_operation: '' is no name; give letters"),
        ("bad name", Scale, "add_operation: 'bad name' is no name"),
        ("a,b", Scale, "add_operation: 'a,b' is no name"),
        (3, Scale, "add_operation: 3 is no name"),
        ("s4", Scale, "'s4' is a list of operations already, as s1, s2, s3, s4 are; choose"),
        (
            "unmade",
            WithoutAffine,
            "at stride 1 'unmade' cannot be made and called .TypeError: .*'affine'.*own_operation",
        ),
        ("broken", Broken, "'broken' cannot be made and called .AttributeError: .*missing"),
        ("unpaired", Unpaired, "weight_uses of 'unpaired' gives no pairs of numbers .TypeError"),
        (
            "large",
            TooLarge,
            r"at stride 2 'large' makes \(2, 6, 6, 4\) .* must make \(2, 3, 3, 4\)",
        ),
        (
            "free",
            Uncounted,
            "add_operation: Uncounted has no weight_uses, .* docs/own_operation.md",
        ),
        ("light", Miscounted, "weight_uses of 'light' counts 0 weights at stride 1, .* are 4"),
    ],
)
def test_what_cannot_be_added(name, layer, sentence):
    with pytest.raises(UserError, match=sentence) as refused:
        add_operation(name, layer)
    assert "\x1b" not in str(refused.value)  # by which Keras marks words
    assert not ADDED and TOPOLOGIES["convolutional"]["normal"].operations[-1] == "dil_conv_5x5"
