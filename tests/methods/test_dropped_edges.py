"""Drop-path and skip dropout in the search."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.relaxation import Moment
from tf_darts.config.presets import configure, legacy_settings
from tf_darts.errors import UserError
from tf_darts.methods.dropped_edges import DropPath, SkipDropout
from tf_darts.runs.image_data import search_part
from tf_darts.spaces.convolutional.relaxed.cell import RelaxedCell
from tf_darts.spaces.edge_wrappers import rows

INPUTS = tf.random.stateless_uniform([64, 6, 6, 4], [1, 2], 1.0, 2.0)
SKIP = tf.one_hot([3], 8)


def moment(epoch, epochs=50, seed=0):
    share, ramp = (tf.constant(epoch / n, tf.float64) for n in (epochs, epochs - 1))
    return Moment(tf.constant([seed, 7]), share, ramp, {})


def edges_of(option, **settings):
    cell = RelaxedCell(4, nodes=2, seed=1, edge_options=[option], preprocessed=False, **settings)
    cell.build((INPUTS.shape, INPUTS.shape))
    return cell.edges


def row(option, at, epochs=50):
    numbers = [tf.cast(number, tf.float32) for number in option.numbers_at(at, epochs)]
    return rows({"cell": SKIP}, numbers, None)["cell"][0]


def test_paths_of_images_are_dropped_alike_at_the_rate_of_the_epoch():
    option = DropPath(search_drop_path=0.5)
    edge = edges_of(option)[0]
    kept = edge(INPUTS, row(option, moment(49)), training=True).numpy() / INPUTS.numpy()
    images = kept.reshape(64, -1)
    assert (images == images[:, :1]).all(), "an image as a whole"
    assert set(np.unique(images[:, 0])) == {0.0, 2.0}
    assert 0.25 < (images[:, 0] == 0).mean() < 0.75
    np.testing.assert_array_equal(edge(INPUTS, row(option, moment(0)), training=True), INPUTS)
    np.testing.assert_array_equal(edge(INPUTS, row(option, moment(49))), INPUTS)


def test_edges_and_steps_draw_apart_and_one_seed_draws_alike():
    option = DropPath(search_drop_path=0.5)
    first, other = edges_of(option)[:2]
    at, later = row(option, moment(49)), row(option, moment(49, seed=1))
    outputs = [
        edge(INPUTS, numbers, training=True).numpy()
        for edge, numbers in ((first, at), (first, at), (other, at), (first, later))
    ]
    assert (outputs[0] == outputs[1]).all()
    assert (outputs[0] != outputs[2]).any() and (outputs[0] != outputs[3]).any()


@pytest.mark.parametrize("option", [DropPath(), SkipDropout()], ids=["paths", "skips"])
def test_parts_of_a_batch_draw_apart(option):
    def drawn(part):
        return [float(number) for number in option.numbers_at(at._replace(part=part), 50)]

    at = moment(10)
    whole, first, same, second = map(
        drawn, ((), tf.constant([1, 2]), tf.constant([1, 2]), tf.constant([1, 3]))
    )
    assert first == same and len({tuple(n[1:]) for n in (whole, first, second)}) == 3
    assert whole[0] == first[0] == second[0], "the rate is that of all"


def test_numbers_of_the_identity_are_dropped_and_nothing_else():
    option = SkipDropout(skip_dropout=0.5, skip_dropout_warm_up=0)
    edge = edges_of(option)[0]
    kept = edge(INPUTS, row(option, moment(0)), training=True).numpy() / INPUTS.numpy()
    assert set(np.unique(kept)) == {0.0, 2.0} and 0.45 < (kept == 0).mean() < 0.55
    np.testing.assert_array_equal(edge(INPUTS, row(option, moment(0))), INPUTS)
    pooling = rows({"cell": tf.one_hot([2], 8)}, [*row(option, moment(0))[8:11]], None)["cell"][0]
    expected = edge.operations["avg_pool_3x3"](INPUTS, training=True)
    np.testing.assert_allclose(edge(INPUTS, pooling, training=True), expected, rtol=1e-6)
    strided = edges_of(option, reduction=True)[0]
    whole = strided.operations["skip_connect"](INPUTS, training=True)
    found = strided(INPUTS, row(option, moment(0)), training=True)
    np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("epoch", "share"), [(0, 24 / 25), (9, 15 / 25), (10, 1.0), (15, np.exp(-1.0))]
)
def test_the_rate_of_a_stage_of_25_epochs(epoch, share):
    rate = SkipDropout(skip_dropout=0.4).numbers_at(moment(epoch, 25), 25)[0]
    assert float(rate) == pytest.approx(0.4 * share, rel=1e-12)


def test_in_epochs_that_a_derivation_adds_a_rate_is_one():
    rate = SkipDropout(skip_dropout=0.4, skip_dropout_warm_up=30).numbers_at(moment(25, 25), 25)[0]
    assert float(rate) == 0.0


def test_what_cannot_be_is_a_sentence():
    asked = {"mode": "search", "dataset": "cifar10", "method": "darts_first"}
    both = "skip_dropout,partial_channels"
    assert configure(asked | {"edge_options": both}).skip_dropout == 0.1
    with pytest.raises(UserError, match=r"skip_dropout drops inside .* name it first"):
        configure(asked | {"edge_options": "partial_channels,skip_dropout"})
    with pytest.raises(UserError, match="computes one sampled operation alone; leave"):
        configure(asked | {"edge_options": "skip_dropout", "relaxation": "gumbel_hard"})
    with pytest.raises(UserError, match="cannot have any; add skip_connect"):
        configure(asked | {"edge_options": "skip_dropout", "operations": "sep_conv_3x3"})
    with pytest.raises(UserError, match="space recurrent"):
        configure(asked | {"edge_options": "drop_path", "dataset": "ptb"})
    square = asked | {"edge_options": "drop_path", "search_cutout": 8}
    with pytest.raises(UserError, match="with --search_drop_path=0 no image loses a square"):
        configure(square | {"search_drop_path": 0.0})
    assert configure(square).search_cutout == 8


DIGITS = {
    "mode": "search",
    "dataset": "digits",
    "method": "robust_darts_dp",
    "search_drop_path": 0.5,
    "epochs": 3,
    "steps_per_epoch": 2,
    "batch_size": 50,
    "train_examples": 200,
}


def test_images_of_both_halves_lose_a_square_as_often_as_an_edge():
    cut, whole = (search_part(configure(DIGITS | {"search_cutout": side})).data for side in (4, 0))
    for part in ("train", "validation"):
        lost = []
        for epoch in range(3):
            pairs = zip(cut.epoch(epoch), whole.epoch(epoch), strict=True)
            changed = [
                np.any(getattr(a, part)[0] != getattr(b, part)[0], axis=(1, 2, 3)) for a, b in pairs
            ]
            lost.append(np.mean(changed))
        # 100 images: the standard deviations are 0.04 and 0.05.
        assert lost[0] == 0 and abs(lost[1] - 0.25) < 0.15 and abs(lost[2] - 0.5) < 0.18


def test_a_square_larger_than_the_images_is_a_sentence():
    with pytest.raises(UserError, match="--search_cutout=16: the images of digits have 8 pixels"):
        search_part(configure(DIGITS))


def test_the_method_has_the_papers_values_and_others_lose_nothing():
    made = configure({"mode": "search", "dataset": "cifar10", "method": "robust_darts_dp"})
    assert made.make_parts("edge_options")[0].cutout() == (16, 0.2)
    assert made.label == "robust_darts_dp" and made.hypergradient == "finite_difference"
    asked = {"mode": "search", "dataset": "cifar10", "edge_options": "drop_path"}
    assert configure(asked).make_parts("edge_options")[0].cutout() == (0, 0.2)
    assert legacy_settings()["search_cutout"] == 0
