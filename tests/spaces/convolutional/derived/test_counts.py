"""Weights and multiply-adds: the published numbers, and the variables themselves."""

import numpy as np
import pytest

from tf_darts import CifarNetwork, ImageNetNetwork, multiply_adds, weight_count
from tf_darts.cells.genotype import ConvolutionalGenotype
from tf_darts.cells.published import PUBLISHED
from tf_darts.errors import UserError

CELLS = PUBLISHED["convolutional"]
PAPER = [  # class, classes, pixels, cell, weights, with the head, multiply-adds
    (CifarNetwork, 10, 32, "darts_v1", 3_169_414, 3_645_840, 500_987_520),
    (CifarNetwork, 10, 32, "darts_v2", 3_349_342, 3_825_768, 528_359_040),
    (ImageNetNetwork, 1000, 224, "darts_v1", 4_510_432, 5_771_208, 505_864_704),
    (ImageNetNetwork, 1000, 224, "darts_v2", 4_718_752, 5_979_528, 529_911_552),
]


@pytest.mark.parametrize(
    ("kind", "classes", "pixels", "cell", "weights", "with_head", "additions"), PAPER
)
def test_the_paper_s_networks(kind, classes, pixels, cell, weights, with_head, additions):
    network = kind(CELLS[cell], classes)
    assert weight_count(network) == weights
    assert weight_count(network, auxiliary=True) == with_head
    assert multiply_adds(network, pixels) == additions
    assert not network.built


@pytest.mark.parametrize("size", [0, -1, "32", (32, 0), (1, 2, 3), None])
def test_sizes_that_no_image_has(size):
    network = CifarNetwork(CELLS["darts_v2"], 10, channels=2, layers=3)
    with pytest.raises(
        UserError, match=r"image_size is .*; a side, or each of two, needs at least"
    ):
        multiply_adds(network, size)


def test_what_is_not_counted():
    with pytest.raises(UserError, match="What a str computes is not counted; give a CifarNetwork"):
        multiply_adds("darts_v2", 32)
    with pytest.raises(UserError, match="What a str computes is not counted; give a CifarNetwork"):
        weight_count("darts_v2")
    network = CifarNetwork(CELLS["darts_v2"], 10, channels=2, layers=3)
    with pytest.raises(UserError, match="image_channels is 0; an image needs at least 1"):
        weight_count(network, image_channels=0)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("kind", "pixels"), [(CifarNetwork, 32), (ImageNetNetwork, 193)])
def test_weights_are_those_of_the_variables(kind, pixels, cell):
    network = kind(CELLS[cell], classes=7, channels=4, layers=4)
    network.build((None, pixels, pixels, 2))
    made = {id(v): int(np.prod(v.shape)) for v in network.trainable_variables}
    head = sum(made[id(v)] for v in network.auxiliary_head.trainable_variables)
    assert weight_count(network, image_channels=2) == sum(made.values()) - head
    assert weight_count(network, image_channels=2, auxiliary=True) == sum(made.values())


def one_cell(operation):
    """A single reduction cell of one node."""
    node = (((operation, 0), ("max_pool_3x3", 1)),)
    return CifarNetwork(ConvolutionalGenotype(node, (2,), node, (2,)), 1, 4, layers=1)


# On 7×5 pixels, of which 4×3 are left; the cell has C = 8.
@pytest.mark.parametrize(
    ("operation", "added"),
    [
        ("avg_pool_3x3", 0),
        ("skip_connect", 12 * 8 * 8),
        ("sep_conv_3x3", 2 * 12 * (9 * 8 + 8 * 8)),
        ("sep_conv_7x7", 2 * 12 * (49 * 8 + 8 * 8)),
        ("dil_conv_5x5", 12 * (25 * 8 + 8 * 8)),
        ("noise", 0),
        ("conv_7x1_1x7", 7 * 3 * 7 * 8 * 8 + 12 * 7 * 8 * 8),
    ],
)
def test_multiply_adds_by_hand(operation, added):
    stem, inputs, classifier = 35 * 27 * 12, 2 * 35 * 12 * 8, 8
    counted = multiply_adds(one_cell(operation), (7, 5))
    assert counted == stem + inputs + classifier + added
