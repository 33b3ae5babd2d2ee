"""Every fast form is its layer: values and derivatives of both orders, in both types."""

from collections.abc import Callable

import keras
import pytest
import tensorflow as tf

import tf_darts.accelerate  # noqa: F401, registers the forms
from tf_darts.cells.genotype import ConvolutionalGenotype
from tf_darts.cells.published import PUBLISHED
from tf_darts.cells.space import find_space
from tf_darts.spaces import fast_forms
from tf_darts.spaces.convolutional.derived.network import DerivedNetwork
from tf_darts.spaces.convolutional.derived.objective import CifarNetwork
from tf_darts.spaces.convolutional.operations.batch_norm import BatchNorm
from tf_darts.spaces.convolutional.operations.convolutions import (
    DepthwiseSeparable,
    FactorizedReduction,
)
from tf_darts.spaces.convolutional.relaxed.cell import MixedOperation, RelaxedCell
from tf_darts.spaces.fast_forms import without
from tf_darts.spaces.nasbench201.cells import RelaxedBenchCell, RelaxedEdge
from tf_darts.spaces.recurrent.derived.cell import DerivedRecurrentCell
from tf_darts.spaces.recurrent.derived.objective import LanguageModel
from tf_darts.spaces.recurrent.relaxed.cell import RelaxedRecurrentCell
from tf_darts.spaces.recurrent.word_model import WordModel
from tf_darts.spaces.sampled import one_hot_mixing
from tf_darts.testing import Case, check_accelerated
from tf_darts.testing.derivatives import random

CELL = ConvolutionalGenotype(
    ((("sep_conv_3x3", 0), ("skip_connect", 1)),),
    (2,),
    ((("avg_pool_3x3", 0), ("dil_conv_3x3", 1)),),
    (2,),
)


def _relaxed_cell(dtype: str) -> Case:
    cell = RelaxedCell(4, reduction=True, nodes=1, seed=1)
    shape = (3, 6, 6, 4)
    cell.build((shape, shape))
    inputs = [random(i, *shape, dtype=dtype) for i in range(2)]
    mixing = tf.nn.softmax(random(2, 2, 8, dtype=dtype))
    return Case(cell, lambda x, y, p: cell((x, y), p, training=True), [*inputs, mixing])


def _derived_network(dtype: str) -> Case:
    network = CifarNetwork(CELL, classes=5, channels=4, layers=3, auxiliary=False, seed=1)
    images = random(1, 8, 8, 8, 3, dtype=dtype)
    network.build(images.shape)
    settings = {"training": True, "seed": tf.constant([1, 2]), "drop_path": 0.3}
    return Case(network, lambda x: network.heads(x, **settings).logits, [images])


def _relaxed_recurrent_cell(dtype: str) -> Case:
    cell = RelaxedRecurrentCell(6, nodes=2, input_dropout=0.3, hidden_dropout=0.2, seed=1)
    cell.build()
    inputs = [random(1, 2, 5, 6, dtype=dtype), random(2, 5, 6, dtype=dtype)]
    mixing = tf.nn.softmax(random(3, 3, 5, dtype=dtype))
    seed = tf.constant([1, 2])
    return Case(cell, lambda x, h, p: cell(x, h, p, seed, training=True)[0], [*inputs, mixing])


def _derived_recurrent_cell(dtype: str) -> Case:
    genotype = PUBLISHED["recurrent"]["darts_v2"]
    cell = DerivedRecurrentCell(genotype, 6, input_dropout=0.3, hidden_dropout=0.2, seed=1)
    cell.build()
    inputs = [random(1, 2, 5, 6, dtype=dtype), random(2, 5, 6, dtype=dtype)]
    return Case(cell, lambda x, h: cell(x, h, tf.constant([1, 2]), training=True)[0], inputs)


def _batch_norm(dtype: str) -> Case:
    layer = BatchNorm()
    inputs = random(1, 6, 5, 4, 3, dtype=dtype)
    layer.build(inputs.shape)
    return Case(layer, lambda x: layer(x, training=True), [inputs])


def _depthwise(dtype: str) -> Case:
    layer = DepthwiseSeparable(5, seed=1)
    inputs = random(1, 3, 6, 7, 4, dtype=dtype)
    layer.build(inputs.shape)
    return Case(layer, lambda x: layer(x, training=True), [inputs])


def _factorized_reduction(dtype: str) -> Case:
    layer = FactorizedReduction(4, seed=1)
    inputs = random(1, 3, 6, 4, 2, dtype=dtype)
    layer.build(inputs.shape)
    return Case(layer, lambda x: layer(x, training=True), [inputs])


def _word_model(dtype: str) -> Case:
    model = LanguageModel(PUBLISHED["recurrent"]["darts_v2"], words=11, units=6)
    model.build()
    targets = tf.constant([[1, 2, 3], [4, 10, 0]])
    dropped = random(1, 2, 3, 6, dtype=dtype)
    return Case(model, lambda x: model.cross_entropy(x, targets), [dropped])


def _relaxed_bench_cell(dtype: str) -> Case:
    cell = RelaxedBenchCell(3, find_space("nasbench201").topologies["cell"], seed=1)
    inputs, mixing = random(1, 3, 5, 6, 3, dtype=dtype), random(2, 6, 5, dtype=dtype)
    cell.build(inputs.shape)
    return Case(cell, lambda x, p: cell(x, p, training=True), [inputs, tf.nn.softmax(mixing)])


def _sampled(layer: keras.layers.Layer, operations: int, chosen: int, dtype: str) -> Case:
    inputs = random(1, 3, 5, 6, layer.channels, dtype=dtype)
    layer.build(inputs.shape)

    def call(x: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
        with one_hot_mixing(True):
            return layer(x, h, training=True)

    return Case(layer, call, [inputs, tf.one_hot(chosen, operations, dtype=dtype)])


def _mixed_operation(dtype: str) -> Case:
    names = ("none", "sep_conv_3x3", "skip_connect")
    return _sampled(MixedOperation(4, stride=2, primitives=names, seed=1), 3, 1, dtype)


def _relaxed_edge(dtype: str) -> Case:
    names = find_space("nasbench201").topologies["cell"].operations
    return _sampled(RelaxedEdge(3, names, seed=1), 5, 3, dtype)


CASES: dict[type, Callable[[str], Case]] = {
    RelaxedCell: _relaxed_cell,
    DerivedNetwork: _derived_network,
    RelaxedRecurrentCell: _relaxed_recurrent_cell,
    DerivedRecurrentCell: _derived_recurrent_cell,
    BatchNorm: _batch_norm,
    DepthwiseSeparable: _depthwise,
    FactorizedReduction: _factorized_reduction,
    RelaxedBenchCell: _relaxed_bench_cell,
    WordModel: _word_model,
    MixedOperation: _mixed_operation,
    RelaxedEdge: _relaxed_edge,
}


TYPES = {BatchNorm: ("float32",)}  # where the form does not apply in both


def test_every_form_has_a_case():
    assert {form.layer for form in fast_forms.registered()} == CASES.keys()


@pytest.mark.slow
@pytest.mark.parametrize("layer", CASES, ids=lambda layer: layer.__name__)
def test_the_fast_form_is_the_layer(layer):
    check_accelerated(layer, CASES[layer], types=TYPES.get(layer, ("float32", "float64")))


def test_only_named_forms_are_left_out():
    case = _relaxed_cell("float32")
    with without(RelaxedCell), fast_forms.recorded() as taken:
        case.at(*case.arguments)
    assert set(taken) == {BatchNorm, DepthwiseSeparable, FactorizedReduction}


def test_a_class_has_one_form():
    with pytest.raises(ValueError, match="BatchNorm has a fast form already"):
        fast_forms.register(BatchNorm, "never")(lambda: None)
