"""Weights and multiply-adds: the closed formulas, the authors' records, and the variables."""

import dataclasses
import math

import pytest

from tf_darts.cells.genotype import genotype_class
from tf_darts.cells.published import PUBLISHED
from tf_darts.cells.space import find_space
from tf_darts.data.facts import ImageFacts
from tf_darts.spaces.nasbench201 import make, strings
from tf_darts.spaces.nasbench201.counts import multiply_adds, weight_count
from tf_darts.spaces.nasbench201.network import NasBench201Network, RelaxedBenchNetwork
from tf_darts.spaces.nasbench201.settings import NasBench201TrainingConfig

# By data set: classes, pixels of a side, and what is there without convolutions on the edges, and
# for each edge of 3×3 and of 1×1.
WEIGHTS = {10: 73_306, 100: 79_156, 120: 80_456}
SETS = {
    "cifar10": (10, 32, (7_783_050, 35_389_440, 3_932_160)),
    "cifar100": (100, 32, (7_788_900, 35_389_440, 3_932_160)),
    "imagenet16_120": (120, 16, (1_953_400, 8_847_360, 983_040)),
}


@pytest.mark.parametrize("name", SETS)
def test_all_cells_by_the_closed_formula(name):
    classes, pixels, (base, of_three, of_one) = SETS[name]
    for found in strings.all_architectures():
        three, one = edges = strings.convolutions(found)
        assert weight_count(edges, classes) == WEIGHTS[classes] + 243_040 * three + 28_000 * one
        counted = multiply_adds(edges, classes, (pixels, pixels, 3))
        assert counted == base + of_three * three + of_one * one


@pytest.mark.parametrize(
    ("name", "weights", "operations"),
    [
        ("all_none", 73_306, 7_783_050),
        ("collapsed", 73_306, 7_783_050),
        ("all_avg_pool", 73_306, 7_783_050),
        ("all_1x1", 241_306, 31_376_010),
        ("all_3x3", 1_531_546, 220_119_690),
        ("resnet", 559_386, 78_561_930),
        ("best_cifar10", 1_073_466, 153_272_970),
        ("best_cifar100", 1_288_506, 184_730_250),
        ("best_imagenet16", 858_426, 121_815_690),
    ],
)
def test_named_cells(name, weights, operations):
    cell, facts = PUBLISHED["nasbench201"][name], ImageFacts((32, 32, 3), 10)
    counted = make.counts(NasBench201TrainingConfig(), cell, facts)
    assert counted == {"weights": weights, "multiply-adds an image": operations}


@pytest.mark.parametrize(
    ("edges", "weights", "millions"),
    [((0, 2), 129_306, 15.64737), ((3, 0), 802_426, 113.95137), ((0, 1), 101_306, 11.71521)],
)
def test_official_records(edges, weights, millions):
    """Of cells 0, 11 and 284 of the authors' list."""
    assert weight_count(edges, 10) == weights
    assert multiply_adds(edges, 10) == round(millions * 1e6)


@pytest.mark.parametrize("text", ["-/--/---", "3/-1/s31", "1/aa/333"])
@pytest.mark.parametrize("sizes", [(16, 5, 3), (5, 2, 1)])
def test_weights_are_those_of_the_variables(text, sizes):
    channels, cells_per_stage, image_channels = sizes
    cell = genotype_class("nasbench201").from_dict(
        strings.fields(strings.written(strings.from_short(text)))
    )
    model = NasBench201Network(
        cell, classes=7, channels=channels, cells_per_stage=cells_per_stage, seed=0
    )
    model.build((None, 9, 8, image_channels))
    made = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    config = dataclasses.replace(
        NasBench201TrainingConfig(), channels=channels, cells_per_stage=cells_per_stage
    )
    facts = ImageFacts((9, 8, image_channels), 7)
    assert make.counts(config, cell, facts)["weights"] == made
    objective = make.objective(dataclasses.replace(config, batch_size=2), cell, facts)
    assert objective.counts() == make.counts(config, cell, facts)


def test_the_supernet():
    """1,692,826 weights; its multiply-adds are those of a cell with both on every edge."""
    model = RelaxedBenchNetwork(find_space("nasbench201").topologies["cell"], classes=10, seed=0)
    model.build((None, 32, 32, 3))
    made = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    assert made == 1_692_826, "biases for the scales and offsets that are not there"
    assert multiply_adds((6, 6), 10) == 243_712_650


def test_odd_sizes():
    """Of 5×3 pixels a stride of 2 leaves 3×2, then 2×1."""
    by_hand = (
        27 * 4 * 15 + 14 * (64 * 6 + 256 * 2) + 17 * 3 + (9 + 2) * (16 * 15 + 64 * 6 + 256 * 2)
    )
    form = {"channels": 4, "cells_per_stage": 1}
    assert multiply_adds((1, 2), 3, (5, 3, 3), **form) == by_hand
