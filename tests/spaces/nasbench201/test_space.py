"""The record: settings, named cells, doors; a search and a training of it, in a few steps."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.step import BilevelStep
from tf_darts.cells.published import PUBLISHED
from tf_darts.config import method_names, methods
from tf_darts.config.presets import computed_settings, configure
from tf_darts.data.facts import ImageFacts
from tf_darts.spaces.constant_weights import are_constant
from tf_darts.spaces.nasbench201 import make, strings
from tf_darts.spaces.nasbench201.published import CELLS, SHORT
from tf_darts.spaces.nasbench201.settings import NasBench201SearchConfig, NasBench201TrainingConfig
from tf_darts.spaces.nasbench201.space import NASBENCH201
from tf_darts.testing.derivatives import random
from tf_darts.training.step import TrainingStep

SEARCH = {"mode": "search", "dataset": "cifar10", "space": "nasbench201"}
FACTS = ImageFacts((8, 8, 3), 3)
BATCH = (random(1, 4, 8, 8, 3, dtype="float32"), tf.constant([0, 1, 2, 0]))
SMALL = {"channels": 2, "cells_per_stage": 1, "batch_size": 4}


def test_searches_have_the_benchmark_s_settings():
    made = dataclasses.asdict(configure(SEARCH))
    want = {
        "channels": 16,
        "cells_per_stage": 5,
        "hypergradient": "first_order",
        "step_order": "weights_first",
        "nesterov": True,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "clip_norm": 5.0,
        "weight_learning_rate": 0.025,
        "final_weight_learning_rate": 0.001,
        "batch_size": 64,
        "epochs": 50,
        "train_portion": 0.5,
        "alpha_learning_rate": 3e-4,
        "alpha_beta_1": 0.5,
        "alpha_beta_2": 0.999,
        "alpha_weight_decay": 1e-3,
        "alpha_clip_norm": 0.0,
        "alpha_scale": 1e-3,
    }
    assert {name: made[name] for name in want} == want
    assert made["run_dir"].startswith("runs/search_cifar10_nasbench201_darts_first")


def test_trainings_have_the_benchmark_s_settings():
    made = dataclasses.asdict(
        configure({"mode": "train", "dataset": "cifar10", "genotype": "collapsed"})
    )
    want = {
        "space": "nasbench201",
        "channels": 16,
        "cells_per_stage": 5,
        "epochs": 200,
        "batch_size": 256,
        "learning_rate": 0.1,
        "schedule": "cosine_by_step",
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 5e-4,
        "clip_norm": 0.0,
        "cutout": 0,
        "crop_padding": 4,
        "flip": True,
        "validation_examples": 25_000,
    }
    assert {name: made[name] for name in want} == want


@pytest.mark.parametrize(
    ("given", "order", "label"),
    [
        ({}, "weights_first", "darts_first"),
        ({"method": "darts"}, "weights_first", "darts"),
        ({"step_order": "alpha_first"}, "alpha_first", "darts_first"),
        ({"method": "joint_simultaneous"}, "alpha_first", "joint_simultaneous"),
    ],
)
def test_the_order_is_the_space_s_where_it_means_something(given, order, label):
    made = configure(SEARCH | given)
    assert (made.step_order, made.label) == (order, label)
    assert method_names.label(computed_settings(made)) == label


def test_named_cells():
    assert set(PUBLISHED["nasbench201"]) == set(CELLS) == set(SHORT)
    resnet = PUBLISHED["nasbench201"]["resnet"]
    names = [name for node in resnet.cells["cell"].nodes for name, _ in node]
    assert strings.written(names) == strings.EXAMPLE
    assert strings.short(names) == SHORT["resnet"]
    assert resnet.to_dict() == {
        "nasbench201": [list(edge) for edge in CELLS["resnet"]["nasbench201"]]
    }
    assert list(NASBENCH201.topologies["cell"].edge_names) == [
        *("0→1", "0→2", "1→2", "0→3", "1→3", "2→3"),
    ]


def test_alpha_all_on_none_is_the_cell_of_none():
    supernet = make.supernet(NasBench201SearchConfig(**SMALL), FACTS, NASBENCH201.topologies)
    step = BilevelStep(supernet, NasBench201SearchConfig(**SMALL))
    step.alphas["cell"].assign(np.eye(5)[[0] * 6])
    derived = methods.find_parts("derivation", "strongest_edges")[0]()
    edges = derived.edges(
        {"cell": tf.nn.softmax(step.alphas["cell"].value).numpy()}, supernet.cells
    )
    assert supernet.genotype_class.from_cells(edges) == PUBLISHED["nasbench201"]["all_none"]


def test_a_few_steps_of_a_search(eagerly):
    config = NasBench201SearchConfig(**SMALL, hypergradient="first_order")
    supernet = make.supernet(config, FACTS, NASBENCH201.topologies)
    step = BilevelStep(supernet, config)
    before = step.alphas["cell"].numpy().copy()
    losses = [step(BATCH, BATCH, 0.05)["train"]["loss"] for _ in range(3)]
    assert losses[-1] < losses[0]
    assert not np.array_equal(before, step.alphas["cell"].numpy())


def test_alpha_s_step_computes_no_gradient_of_weights(monkeypatch):
    """Its own trace is one for constant weights, which cells that share a function need."""
    config = NasBench201SearchConfig(**SMALL, hypergradient="first_order")
    supernet = make.supernet(config, FACTS, NASBENCH201.topologies)
    seen = []

    def loss(*arguments, of=supernet.loss, **named):
        seen.append(are_constant())
        return of(*arguments, **named)

    monkeypatch.setattr(supernet, "loss", loss)
    BilevelStep(supernet, config)(BATCH, BATCH, 0.05)
    assert sorted(seen) == [False, True]


@pytest.mark.parametrize("name", ["best_imagenet16", "resnet", "all_none"])
def test_cells_with_none_are_trained_too(eagerly, name):
    """Edges that reach nothing have gradients of zero; weight decay is all that moves them."""
    config = NasBench201TrainingConfig(**SMALL)
    objective = make.objective(config, PUBLISHED["nasbench201"][name], FACTS)
    step = TrainingStep(objective, config, averages=False)
    losses = [step(BATCH, 0.05, 0.0)["train"]["loss"] for _ in range(4)]
    assert np.all(np.isfinite(losses)) and losses[-1] < losses[0] + 0.1
