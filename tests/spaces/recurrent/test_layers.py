"""The Keras layers of the recurrent space, and the supernet made of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_darts.spaces.recurrent.relaxed.cell import RelaxedRecurrentCell, dropout_mask
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.relaxed.recurrence import relaxed_recurrence
from tf_darts.spaces.recurrent.relaxed.supernet import RecurrentSupernet

SEED = tf.constant([3, 4])
DROPOUTS = dict(
    embedding_dropout=0.1,
    input_dropout=0.2,
    cell_input_dropout=0.75,
    hidden_dropout=0.25,
    output_dropout=0.75,
)


def mixing(edges=36):
    return tf.nn.softmax(np.random.default_rng(0).standard_normal((edges, 5)).astype(np.float32))


def text(rows=5, batch=4, words=20):
    return tf.constant(np.random.default_rng(1).integers(words, size=(rows, batch)), tf.int32)


def test_the_paper_s_model_has_4_810_000_weights():
    supernet = RecurrentSupernet(RelaxedLanguageModel(words=10000, units=300))
    counts = [int(np.prod(weight.shape)) for weight in supernet.weights]
    assert sum(counts) == 4_810_000
    for weight in supernet.weights[:-1]:
        assert 0.039 < np.abs(weight.numpy()).max() <= 0.04
    assert not supernet.weights[-1].numpy().any()


def test_initial_weights_are_all_different_and_come_from_the_seed():
    first, again, other = (RelaxedRecurrentCell(8, seed=seed) for seed in (1, 1, 2))
    for cell in (first, again, other):
        cell.build()
    kernels = [kernel.numpy() for kernel in [*first.node_kernels, *other.node_kernels]]
    assert len({kernel.tobytes() for kernel in kernels}) == 16
    np.testing.assert_array_equal(first.input_kernel, again.input_kernel)


@pytest.mark.parametrize(
    "layer", [RelaxedRecurrentCell(6, nodes=3), RelaxedLanguageModel(9, 6, **DROPOUTS, seed=5)]
)
def test_configurations_go_round(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_running_statistics_are_those_of_updates_in_a_row(float64):
    cell = RelaxedRecurrentCell(6, nodes=3)
    cell.build()
    inputs, hidden = tf.random.normal([4, 5, 6], dtype=tf.float64), tf.zeros([5, 6], tf.float64)
    weights = tf.cast(mixing(6), tf.float64)
    ones = tf.ones([5, 6], tf.float64)
    result = relaxed_recurrence(
        inputs, hidden, cell.input_kernel.value, cell.node_kernels, weights, ones, ones
    )
    mean, variance = np.zeros(6), np.ones(6)
    for t in range(4):
        for node in range(4):
            mean = 0.9 * mean + 0.1 * result.means[t, node].numpy()
            variance = 0.9 * variance + 0.1 * result.variances[t, node].numpy() * 5 / 4
    cell(inputs, hidden, weights, seed=SEED, training=True)
    np.testing.assert_allclose(cell.running_mean, mean, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(cell.running_variance, variance, rtol=1e-12)


def test_a_single_sequence_has_no_unbiased_variance_and_leaves_numbers(float64):
    cell = RelaxedRecurrentCell(6, nodes=3)
    cell.build()
    inputs, hidden = tf.ones([4, 1, 6], tf.float64), tf.zeros([1, 6], tf.float64)
    cell(inputs, hidden, tf.cast(mixing(6), tf.float64), seed=SEED, training=True)
    np.testing.assert_allclose(cell.running_variance, 0.9**16, rtol=1e-12)


def test_evaluation_uses_them_and_nothing_else():
    model = RelaxedLanguageModel(20, 6, **DROPOUTS)
    model.build()
    model.cell.running_mean.assign(np.full(6, 0.3))
    logits, _ = model(text(), tf.zeros([4, 6]), mixing())
    # One sequence alone gives the same: nothing comes from the batch.
    alone, _ = model(text()[:, :1], tf.zeros([1, 6]), mixing())
    np.testing.assert_allclose(logits[:, :1], alone, atol=1e-6)
    model.cell.running_mean.assign(np.zeros(6))
    assert np.abs(model(text(), tf.zeros([4, 6]), mixing())[0] - logits).max() > 1e-6


@pytest.mark.parametrize("rate", [0.1, 0.75])
def test_masks_keep_the_mean_and_repeat_with_the_seed(rate):
    mask = dropout_mask([100, 200], rate, SEED, "float32").numpy()
    np.testing.assert_array_equal(mask, dropout_mask([100, 200], rate, SEED, "float32"))
    assert set(np.unique(mask)) == {0.0, np.float32(1 / (1 - rate))}
    assert mask.mean() == pytest.approx(1.0, abs=0.05)


@pytest.mark.slow
def test_dropout_is_variational():
    """One mask for a sequence: a unit that is dropped at one time step is dropped at all."""
    model = RelaxedLanguageModel(20, 40, nodes=2, output_dropout=0.5)
    model.build()
    features = model.features(text(), tf.zeros([4, 40]), mixing(3), seed=SEED, training=True)
    dropped = features.dropped.numpy() == 0.0
    assert 0.3 < dropped.mean() < 0.7
    assert (dropped == dropped[:1]).all()
    assert not (features.outputs.numpy() == 0.0).any()


@pytest.mark.slow
def test_embedding_dropout_drops_words():
    model = RelaxedLanguageModel(20, 8, nodes=2, embedding_dropout=0.5)
    model.build()
    hidden = tf.zeros([4, 8])
    with tf.GradientTape() as tape:
        table = model.embedding.value
        features = model.features(text(30), hidden, mixing(3), seed=SEED, training=True)
        loss = tf.reduce_sum(features.outputs**2)
    used = np.abs(tf.convert_to_tensor(tape.gradient(loss, table)).numpy()).sum(axis=1) > 0
    seen = set(text(30).numpy().ravel())
    assert 0 < used.sum() < len(seen), "some words that were read had no row"


@pytest.mark.slow
def test_the_supernet_is_a_function():
    supernet = RecurrentSupernet(
        RelaxedLanguageModel(20, 6, nodes=2, **DROPOUTS), temporal_activation_penalty=0.1
    )
    weights = [tf.convert_to_tensor(weight) for weight in supernet.weights]
    before = [v.numpy() for v in [*supernet.weights, *supernet.statistics]]

    def loss(seed=SEED, scale=1.0, **options):
        batch, state = (text(), text()), supernet.initial_state(4)
        scaled = [scale * weight for weight in weights]
        return supernet.loss(scaled, {"cell": mixing(3)}, batch, state, seed, **options)

    plain, slow = loss(), loss(regularized=True)
    assert float(plain.loss) == float(loss().loss) == float(slow.means["loss"])
    assert float(plain.loss) != float(loss(tf.constant([3, 5])).loss)
    assert float(plain.loss) != float(loss(scale=2.0).loss)
    assert float(slow.loss) > float(plain.loss)
    after = [v.numpy() for v in [*supernet.weights, *supernet.statistics]]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    # The statistics would move: they come back as values.
    assert np.abs(plain.statistics[1] - before[-1]).max() > 0


def test_evaluation_sums_over_predictions():
    supernet = RecurrentSupernet(RelaxedLanguageModel(20, 6))
    batch, state = (text(), text()), supernet.initial_state(4)
    result = supernet.evaluation_sums({"cell": mixing()}, batch, state)
    logits, _ = supernet.model(text(), tf.zeros([4, 6]), mixing())
    losses = keras.losses.sparse_categorical_crossentropy(text(), logits, from_logits=True)
    assert float(result.count) == 20
    assert float(result.totals["loss"]) == pytest.approx(float(tf.reduce_sum(losses)), rel=1e-5)
    assert supernet.scores({"loss": 2.0})["perplexity"] == pytest.approx(np.exp(2.0))
    assert np.isfinite(supernet.scores({"loss": 1e6})["perplexity"])
