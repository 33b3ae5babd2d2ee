"""Networks of derived cells against an independent float64 implementation's numbers."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support.golden import error, state_of
from tf_darts.cells.genotype import ConvolutionalGenotype
from tf_darts.cells.published import PUBLISHED
from tf_darts.formats.official_weights import assign_official, image_network_official_names
from tf_darts.spaces.convolutional.derived.objective import (
    CifarNetwork,
    ImageClassification,
    ImageNetNetwork,
)

SEED = tf.constant([0, 0])  # nothing is dropped
TOLERANCES = {"float64": 1e-9, "float32": 1e-4}


@pytest.fixture
def precision(request):
    if request.param == "float64":
        request.getfixturevalue("float64")
    return request.param


both_types = pytest.mark.parametrize("precision", TOLERANCES, indirect=True)


def images(golden, name="x"):
    return golden[name].transpose(0, 2, 3, 1)


def model_and_names(kind, golden):
    config = golden["config"]
    genotype = PUBLISHED["convolutional"]["darts_v2"]
    model = kind(genotype, config["classes"], config["channels"], config["layers"])
    model.build((None, *images(golden).shape[1:]))
    names = image_network_official_names(model)
    state = state_of(golden)
    assert set(names) == set(state)
    by_variable = {id(weight.variable) for weight in names.values()}
    assert by_variable >= {id(variable) for variable in model.trainable_variables}
    assign_official(names, state)
    return model, names


@pytest.fixture(scope="module")
def cifar(load_golden):
    return load_golden("cifar_network")


@pytest.fixture(scope="module")
def imagenet(load_golden):
    return load_golden("imagenet_network")


@both_types
def test_cifar_forward(cifar, precision):
    model, names = model_and_names(CifarNetwork, cifar)
    inputs = tf.constant(images(cifar), precision)
    assert error(model(inputs), cifar["logits_eval"]) < TOLERANCES[precision]
    heads = model.heads(inputs, training=True)
    assert error(heads.logits, cifar["logits_train"]) < TOLERANCES[precision]
    assert error(heads.auxiliary, cifar["logits_aux_train"]) < TOLERANCES[precision]
    moved = [names[name].to_official(names[name].variable) for name in cifar["buffer_order"]]
    moved = np.concatenate([np.ravel(value) for value in moved])
    assert error(moved, cifar["buffers_after_train_forward"]) < TOLERANCES[precision]


def test_the_golden_cell_is_the_published_one(cifar):
    cell = json.loads(str(cifar["genotype"]))
    assert ConvolutionalGenotype.from_dict(cell) == PUBLISHED["convolutional"]["darts_v2"]


def test_cifar_loss_and_gradients(cifar, float64):
    model, names = model_and_names(CifarNetwork, cifar)
    weight = cifar["config"]["auxiliary_weight"]
    network = ImageClassification(model, (32, 32, 3), auxiliary_weight=weight)
    batch = (tf.constant(images(cifar)), tf.constant(cifar["y"], tf.int32))
    with tf.GradientTape() as tape:
        result = network.loss(batch, (), SEED, tf.constant(0.0, tf.float64))
    assert error(result.loss, cifar["train_loss"]) < 1e-9
    gradients = tape.gradient(result.loss, network.weights)
    by_variable = {id(weight.variable): name for name, weight in names.items()}
    for variable, gradient in zip(network.weights, gradients, strict=True):
        name = by_variable[id(variable)]
        official = names[name].to_official(gradient.numpy())
        assert error(official, cifar[f"grad/{name}"]) < 1e-9, name


@pytest.mark.slow
@both_types
def test_imagenet_forward(imagenet, precision):
    model, _ = model_and_names(ImageNetNetwork, imagenet)
    one, two = (tf.constant(images(imagenet, name), precision) for name in ("x", "x2"))
    heads = model.heads(one)
    assert error(heads.logits, imagenet["logits_eval"]) < TOLERANCES[precision]
    assert error(heads.auxiliary, imagenet["logits_aux_evalmode"]) < TOLERANCES[precision]
    heads = model.heads(two, training=True)
    assert error(heads.logits, imagenet["logits_train_x2"]) < TOLERANCES[precision]
    assert error(heads.auxiliary, imagenet["logits_aux_train_x2"]) < TOLERANCES[precision]
