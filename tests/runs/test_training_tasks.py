import dataclasses

import pytest

from tf_darts.cells.published import PUBLISHED
from tf_darts.config import presets as config
from tf_darts.config.given_cell import find_cell
from tf_darts.errors import UserError
from tf_darts.spaces.convolutional.make import image_objective
from tf_darts.spaces.recurrent.make import language_objective


def training(dataset, cell):
    return dataclasses.replace(config.PRESETS["train", dataset], genotype=str(cell))


@pytest.mark.parametrize(
    ("dataset", "cell", "weights"),
    [
        ("ptb", "darts_v1", 22_960_000),
        ("ptb", "darts_v2", 22_960_000),
        ("cifar10", "darts_v1", 3_169_414),
        ("cifar10", "darts_v2", 3_349_342),
    ],
)
def test_the_papers_settings_make_networks_of_its_size(dataset, cell, weights):
    made = training(dataset, cell)
    if made.space == "recurrent":
        network = language_objective(made, find_cell(made), words=10_000)
    else:
        network = image_objective(made, find_cell(made), (32, 32, 3), classes=10)
    assert network.counts()["weights"] == weights


def test_advice_for_images_too_small_for_an_auxiliary_head():
    """Each of the two ways out is taken."""
    cell = PUBLISHED["convolutional"]["darts_v2"]
    small = dataclasses.replace(training("cifar10", "darts_v2"), channels=2, layers=3)
    with pytest.raises(UserError, match=r"at least 29×29, or --auxiliary_weight=0 \("):
        image_objective(small, cell, (28, 28, 3), 3)
    assert image_objective(small, cell, (29, 29, 3), 3).model.auxiliary
    headless = dataclasses.replace(small, auxiliary_weight=0.0)
    assert not image_objective(headless, cell, (28, 28, 3), 3).model.auxiliary
