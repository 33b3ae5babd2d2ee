"""What is around the edges of a space's cells."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.cells.space import find_space, resolved
from tf_darts.config.presets import configure
from tf_darts.data.facts import ImageFacts
from tf_darts.methods.auxiliary_skip import AuxiliarySkip
from tf_darts.methods.partial_channels import EdgeNormalization, PartialChannels
from tf_darts.spaces.convolutional.relaxed.classifier import RelaxedImageClassifier
from tf_darts.spaces.edge_wrappers import further_columns, rows
from tf_darts.spaces.nasbench201.network import RelaxedBenchNetwork

SMALL = {
    "convolutional": {"layers": 3, "operations": "s2"},
    "nasbench201": {"cells_per_stage": 1, "operations": "skip_connect,nor_conv_3x3"},
}


def config(space, **settings):
    asked = {"mode": "search", "dataset": "digits", "space": space, "channels": 8, "batch_size": 2}
    return configure(asked | SMALL[space] | settings)


def supernet(made):
    facts = ImageFacts((8, 8, 1), 3)
    return resolved(find_space(made.space).supernet)(made, facts, made.cells)


def test_rows_have_numbers_and_factor_behind_the_mixing_weights():
    mixing = {"cell": tf.constant([[0.2, 0.8], [0.5, 0.5]])}
    table = rows(mixing, [tf.constant(3.0)], {"cell": tf.constant([5.0, 6.0])})["cell"]
    np.testing.assert_allclose(table, [[0.2, 0.8, 3.0, 5.0], [0.5, 0.5, 3.0, 6.0]])
    assert rows(mixing, [], None)["cell"].numpy()[:, 2].tolist() == [1.0, 1.0]
    assert (further_columns([]), further_columns([PartialChannels(), AuxiliarySkip()])) == (0, 2)


def test_a_network_round_trips_with_its_options():
    options = [PartialChannels(partial_channels=2), AuxiliarySkip()]
    model = RelaxedImageClassifier(3, channels=4, layers=3, nodes=1, seed=1, edge_options=options)
    again = RelaxedImageClassifier.from_config(model.get_config())
    assert again.edge_options == model.edge_options == tuple(options)
    assert again.cells[0].edge_options == tuple(options)
    graph = find_space("nasbench201").topologies["cell"]
    bench = RelaxedBenchNetwork(graph, options, classes=3, channels=4, cells_per_stage=1)
    again = RelaxedBenchNetwork.from_config(bench.get_config())
    assert again.edge_options == tuple(options)


@pytest.mark.parametrize("space", SMALL)
def test_both_image_spaces_make_what_is_asked(space):
    plain, made = supernet(config(space)), supernet(config(space, method="pc_darts"))
    assert plain.edge_options == () and made.edge_options == (PartialChannels(),)
    count = [sum(w.value.shape.num_elements() for w in s.weights) for s in (plain, made)]
    assert count[1] < count[0]
    if space == "nasbench201":  # the other is traced for half a minute
        images = np.zeros([2, 8, 8, 1], np.float32), np.zeros([2], np.int32)
        assert made.traced_memory(images).peak < plain.traced_memory(images).peak
    order = "partial_channels,edge_normalization,auxiliary_skip"
    more = supernet(config(space, edge_options=order))
    assert more.edge_options == (PartialChannels(), AuxiliarySkip())
    assert EdgeNormalization() not in more.edge_options


@pytest.mark.slow
@pytest.mark.parametrize("space", SMALL)
def test_cells_computed_again_have_the_same_loss(space):
    made = dataclasses.replace(config(space, method="pc_darts"), rematerialize=False)
    again = dataclasses.replace(made, rematerialize=True)
    random, losses = np.random.default_rng(0), []
    batch = random.standard_normal((2, 8, 8, 1)).astype("float32"), np.array([0, 2], np.int32)
    for settings in (made, again):
        net = supernet(settings)
        mixing = {
            kind: tf.fill([t.edges, t.columns], 1.0 / t.columns) for kind, t in net.cells.items()
        }
        weights = [tf.convert_to_tensor(w) for w in net.weights]
        with tf.GradientTape() as tape:
            tape.watch(weights)
            result = net.loss(weights, rows(mixing, [], None), batch, (), tf.constant([0, 0]))
        slopes = tape.gradient(result.loss, weights, unconnected_gradients="zero")
        losses.append((result.loss.numpy(), tf.linalg.global_norm(slopes).numpy()))
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
