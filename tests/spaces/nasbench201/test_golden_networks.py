"""Networks of four derived cells against an independent float64 implementation's numbers."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support.golden import error
from tests.support.official_names import nasbench201_official_names
from tf_darts.cells.genotype_files import parse
from tf_darts.formats.official_weights import assign_official
from tf_darts.spaces.image_doors import ImageObjective
from tf_darts.spaces.nasbench201.network import NasBench201Network

SEED = tf.constant([0, 0])  # nothing is dropped
EXACT = 1e-9


@pytest.fixture(scope="module")
def golden(load_golden):
    return load_golden("nasbench201_network")


class Case:
    """One of the cells, with the golden weights."""

    def __init__(self, golden, number):
        start = f"cell_{number}/"
        self.want = {n.removeprefix(start): v for n, v in golden.items() if n.startswith(start)}
        given = golden["config"]
        self.model = NasBench201Network(
            parse(str(self.want["string"])),
            classes=given["classes"],
            channels=given["channels"],
            cells_per_stage=given["cells_per_stage"],
        )
        images = golden["x"].transpose(0, 2, 3, 1)
        self.batch = (tf.constant(images), tf.constant(golden["y"], tf.int32))
        self.model.build((None, *images.shape[1:]))
        self.names = nasbench201_official_names(self.model)
        state = {
            name.partition("/")[2]: value
            for name, value in self.want.items()
            if name.startswith(("param/", "buffer/"))
        }
        assert set(self.names) == set(state)
        assign_official(self.names, state)


@pytest.fixture(params=range(4))
def case(golden, float64, request):
    return Case(golden, request.param)


def test_the_strings_are_the_listed_ones(golden):
    listed = json.loads(str(golden["cells"]))
    assert [str(golden[f"cell_{i}/string"]) for i in range(4)] == listed


def test_forward_in_both_modes(case):
    images, _ = case.batch
    assert error(case.model(images), case.want["logits_eval"]) < EXACT
    assert error(case.model(images, training=True), case.want["logits_train"]) < EXACT
    moved = [np.ravel(case.names[name].variable) for name in case.want["buffer_order"]]
    assert error(np.concatenate(moved), case.want["buffers_after_train_forward"]) < EXACT


def test_loss_and_gradients(case):
    objective = ImageObjective(case.model, (16, 16, 3))
    with tf.GradientTape() as tape:
        result = objective.loss(case.batch, (), SEED, tf.constant(0.0, tf.float64))
    assert error(result.loss, case.want["train_loss"]) < EXACT
    weights = [weight.value for weight in objective.weights]
    slopes = tape.gradient(result.loss, weights, unconnected_gradients="zero")
    by_variable = {id(weight.variable): name for name, weight in case.names.items()}
    official = {}
    for variable, slope in zip(objective.weights, slopes, strict=True):
        name = by_variable[id(variable)]
        official[name] = case.names[name].to_official(tf.convert_to_tensor(slope).numpy())
    ours, theirs = (
        np.concatenate([values(name).ravel() for name in case.want["param_order"]])
        for values in (official.__getitem__, lambda name: case.want[f"grad/{name}"])
    )
    assert error(ours, theirs) < EXACT
    # What reaches nothing has no gradient at all.
    idle = [name for name in official if not np.any(case.want[f"grad/{name}"])]
    assert not any(np.any(official[name]) for name in idle)
    assert bool(idle) == ("none" in str(case.want["string"]))
