"""The record of the space `planted`, and the doors that are made of it."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.cells.genotype import genotype_class
from tf_darts.cells.published import PUBLISHED
from tf_darts.config.presets import configure
from tf_darts.data.facts import ImageFacts
from tf_darts.data.images.planted_answer import ANSWER
from tf_darts.errors import UserError
from tf_darts.spaces.planted import make
from tf_darts.spaces.planted.published import CELLS
from tf_darts.spaces.planted.settings import PlantedSearchConfig, PlantedTrainingConfig
from tf_darts.spaces.planted.space import PLANTED

FACTS = ImageFacts((4, 4, 3), 5)


def test_six_edges_of_four_operations():
    (topology,) = PLANTED.topologies.values()
    assert (topology.edges, topology.columns, topology.kept(0)) == (6, 4, 6)
    right = PUBLISHED["planted"][PLANTED.answer]
    assert right.to_dict() == CELLS["planted"]
    assert [name for name, _ in right.cells["cell"].nodes[0]] == [f"taps_{d}" for d in ANSWER]


def test_images_of_a_control_are_neither_cropped_nor_mirrored():
    made = configure({"mode": "search", "dataset": "planted", "space": "planted"})
    assert isinstance(made, PlantedSearchConfig) and made.method == "darts"
    assert (made.crop_padding, made.flip, made.permute_labels) == (0, False, False)
    trained = configure({"mode": "train", "dataset": "planted", "genotype": "planted"})
    assert type(trained) is PlantedTrainingConfig
    assert (trained.crop_padding, trained.flip, trained.cutout) == (0, False, 0)


def test_both_networks_begin_by_the_seed():
    images = tf.constant(np.random.default_rng(0).standard_normal((2, *FACTS.shape)), tf.float32)
    right = PUBLISHED["planted"]["planted"]

    def logits(seed):
        searched = make.supernet(PlantedSearchConfig(seed=seed), FACTS, PLANTED.topologies)
        trained = make.objective(PlantedTrainingConfig(seed=seed), right, FACTS)
        mixing = {"cell": tf.fill([6, 4], 0.25)}
        return np.stack([searched.model(images, mixing), trained.model(images)])

    first = logits(0)
    np.testing.assert_array_equal(logits(0), first)
    assert first.shape == (2, 2, 5) and np.abs(logits(1) - first).max() > 1e-3


def test_a_cell_of_two_nodes_is_refused():
    edges = [["taps_1", source] for node in (6, 7) for source in range(node)]
    cell = genotype_class("planted").from_dict({"planted": edges})
    with pytest.raises(UserError, match=r"a cell of 2 nodes cannot be made: .* of 6 edges\.$"):
        make.objective(PlantedTrainingConfig(), cell, FACTS)
