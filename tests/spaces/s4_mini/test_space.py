"""The record of S4-mini and its two networks."""

import numpy as np
import tensorflow as tf

from tf_darts.cells.published import PUBLISHED
from tf_darts.cells.space import find_space
from tf_darts.data.facts import ImageFacts
from tf_darts.spaces.draws import drawn_by
from tf_darts.spaces.s4_mini import make
from tf_darts.spaces.s4_mini.settings import S4MiniSearchConfig, S4MiniTrainingConfig

FACTS = ImageFacts((4, 4, 1), 3)


def test_five_edges_of_two_operations():
    (topology,) = find_space("s4_mini").topologies.values()
    assert (topology.edges, topology.columns) == (5, 2)
    assert [topology.kept(node) for node in range(2)] == [2, 3]
    right = PUBLISHED["s4_mini"]["no_noise"]
    assert str(right) == (
        "sep_conv_3x3:0 sep_conv_3x3:1 | sep_conv_3x3:0 sep_conv_3x3:1 sep_conv_3x3:2"
    )


def test_networks_with_noise_draw_and_those_without_do_not():
    space, images = find_space("s4_mini"), tf.constant(np.ones([2, 4, 4, 1]), tf.float32)
    small = {"channels": 2, "layers": 2}
    supernet = make.supernet(S4MiniSearchConfig(**small), FACTS, space.topologies)
    derived = make.objective(S4MiniTrainingConfig(**small), PUBLISHED["s4_mini"]["no_noise"], FACTS)

    def logits(model, seed, *mixing):
        with drawn_by(tf.constant([seed, 0])):
            return model(images, *mixing, training=True).numpy()

    def spread(model, *mixing):
        return np.abs(logits(model, 1, *mixing) - logits(model, 2, *mixing)).max()

    tables = np.eye(2, dtype=np.float32)
    assert spread(supernet.model, {"cell": tf.constant(tables[[0] * 5])}) > 1e-3
    assert spread(supernet.model, {"cell": tf.constant(tables[[1] * 5])}) == 0.0
    assert spread(derived.model) == 0.0
    seeds = [edge.operations["noise"].seed for cell in supernet.model.cells for edge in cell.edges]
    assert len(set(seeds)) == len(seeds) == 10
