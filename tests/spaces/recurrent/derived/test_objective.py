"""The derived language model as a Keras model, and its network."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_darts import LanguageModel
from tf_darts.cells.genotype import RecurrentGenotype
from tf_darts.cells.published import PUBLISHED
from tf_darts.errors import UserError
from tf_darts.formats.official_weights import assign_official, language_model_official_names
from tf_darts.spaces.recurrent.derived.counts import multiply_adds
from tf_darts.spaces.recurrent.derived.objective import NextWordPrediction
from tf_darts.spaces.recurrent.derived.recurrence import derived_recurrence

WORDS, UNITS, BATCH = 20, 6, 4
V2 = PUBLISHED["recurrent"]["darts_v2"]
SMALL = RecurrentGenotype((("tanh", 0), ("relu", 1), ("sigmoid", 0)), (2, 3))
SEED, PROGRESS = tf.constant([3, 4]), tf.constant(0.0)
NO_DROPOUT = dict(
    embedding_dropout=0.0,
    input_dropout=0.0,
    hidden_dropout=0.0,
    cell_input_dropout=0.0,
    output_dropout=0.0,
)


def text(rows=5, seed=1):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.integers(WORDS, size=(rows, BATCH)), tf.int32)


def hidden(units=UNITS):
    return tf.zeros([BATCH, units])


def built(units=UNITS, **options):
    model = LanguageModel(SMALL, WORDS, units, **options)
    model.build()
    return model


def grown(model, scale=20.0):
    """Weights large enough for their effect to be seen."""
    for variable in model.trainable_variables:
        variable.assign(variable * scale)
    return model


@pytest.mark.parametrize(
    ("words", "units", "weights"), [(10_000, 850, 22_960_000), (33_278, 700, 33_127_878)]
)
def test_the_paper_s_models_have_their_weights(words, units, weights):
    model = LanguageModel(V2, words, units)
    model.build()
    assert model.count_params() == weights
    network = NextWordPrediction(model)
    assert network.counts() == {
        "weights": weights,
        "multiply-adds a word": 20 * units**2 + words * units,
    }
    assert list(network.statistics) == []


def test_multiply_adds():
    assert multiply_adds(V2, words=10_000, units=850) == 20 * 850**2 + 850 * 10_000
    assert multiply_adds(PUBLISHED["recurrent"]["enas"], 10, 5) == 26 * 25 + 50


def test_initial_weights():
    model, again, other = built(seed=1), built(seed=1), built(seed=2)
    kernels = [model.embedding, model.cell.input_kernel, *model.cell.node_kernels]
    for kernel in kernels:
        assert 0.03 < np.abs(kernel.numpy()).max() <= 0.04
    assert not model.bias.numpy().any()
    values = {variable.numpy().tobytes() for variable in model.trainable_variables}
    assert len(values) == len(model.trainable_variables)
    for mine, same in zip(model.trainable_variables, again.trainable_variables, strict=True):
        np.testing.assert_array_equal(mine, same)
    assert not values & {v.numpy().tobytes() for v in other.trainable_variables if v.numpy().any()}


def test_the_logits_are_those_of_embedding_cell_and_decoder():
    model = grown(built())
    logits, state = model(text(), hidden())
    table, ones = model.embedding.numpy(), tf.ones([BATCH, UNITS])
    outputs = derived_recurrence(
        SMALL,
        tf.constant(table[text().numpy()]),
        hidden(),
        model.cell.input_kernel.value,
        [kernel.value for kernel in model.cell.node_kernels],
        ones,
        ones,
    ).numpy()
    np.testing.assert_allclose(logits, outputs @ table.T + model.bias.numpy(), atol=1e-5)
    np.testing.assert_allclose(state, outputs[-1], atol=1e-6)


def test_the_state_carries_a_text_on():
    model = grown(built())
    whole, last = model(text(8), hidden())
    _, middle = model(text(8)[:5], hidden())
    rest, end = model(text(8)[5:], middle)
    np.testing.assert_allclose(rest, whole[5:], atol=1e-5)
    np.testing.assert_allclose(end, last, atol=1e-6)


def test_dropout_is_one_mask_for_a_sequence():
    model = grown(built(40, **NO_DROPOUT | {"output_dropout": 0.5}))
    features = model.features(text(), hidden(40), seed=SEED, training=True)
    dropped = features.dropped.numpy() == 0.0
    assert 0.3 < dropped.mean() < 0.7
    assert (dropped == dropped[:1]).all()
    assert not (features.outputs.numpy() == 0.0).any()
    kept = ~dropped
    np.testing.assert_allclose(features.dropped[kept], 2.0 * features.outputs[kept], rtol=1e-6)


@pytest.mark.parametrize("name", NO_DROPOUT)
def test_every_dropout_counts_and_comes_from_the_seed(name):
    model = grown(built(16, **NO_DROPOUT | {name: 0.5}))

    def logits(**options):
        return model(text(), hidden(16), **options)[0].numpy()

    first = logits(training=True, seed=SEED)
    np.testing.assert_array_equal(first, logits(training=True, seed=SEED))
    assert np.abs(first - logits(training=True, seed=tf.constant([3, 5]))).max() > 1e-4
    assert np.abs(first - logits()).max() > 1e-4
    np.testing.assert_array_equal(logits(), logits(seed=SEED))


def test_embedding_dropout_drops_words():
    model = built(8, **NO_DROPOUT | {"embedding_dropout": 0.5})
    with tf.GradientTape() as tape:
        features = model.features(text(30), hidden(8), seed=SEED, training=True)
        loss = tf.reduce_sum(features.outputs**2)
    slope = tf.convert_to_tensor(tape.gradient(loss, model.embedding.value)).numpy()
    used, seen = np.abs(slope).sum(axis=1) > 0, set(text(30).numpy().ravel())
    assert 0 < used.sum() < len(seen), "some words that were read had no row"


def test_without_a_seed_every_call_draws():
    model = grown(built(16, seed=1))
    first, second = (model(text(), hidden(16), training=True)[0].numpy() for _ in range(2))
    assert np.abs(first - second).max() > 1e-4
    again = grown(built(16, seed=1))
    np.testing.assert_array_equal(first, again(text(), hidden(16), training=True)[0])


def test_configuration_and_file_go_round(tmp_path):
    model = built(output_dropout=0.5, seed=5, name="model")
    again = LanguageModel.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert again.genotype == SMALL
    expected, _ = model(text(), hidden())
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(text(), hidden())[0], expected)


def test_loss_and_regularisers():
    model = grown(built(16))
    batch, state = (text(), text(seed=2)), hidden(16)

    def loss(batch=batch, **options):
        return NextWordPrediction(model, **options).loss(batch, state, SEED, PROGRESS)

    features = model.features(batch[0], state, seed=SEED, training=True)
    losses = keras.losses.sparse_categorical_crossentropy(
        batch[1], model.decode(features.dropped), from_logits=True
    )
    plain = loss()
    assert float(plain.loss) == pytest.approx(float(tf.reduce_mean(losses)), rel=1e-5)
    both = loss(temporal_activation_penalty=0.5, activation_penalty=2.0)
    outputs = features.outputs.numpy()
    extra = 0.5 * np.square(np.diff(outputs, axis=0)).mean()
    extra += 2.0 * np.square(features.dropped.numpy()).mean()
    assert float(both.loss - plain.loss) == pytest.approx(extra, rel=1e-4)
    assert float(both.means["loss"]) == float(plain.loss) == float(plain.means["loss"])
    np.testing.assert_allclose(both.state, outputs[-1], rtol=1e-5)


def test_one_time_step_has_no_slowness():
    network = NextWordPrediction(grown(built(**NO_DROPOUT)), temporal_activation_penalty=0.5)
    batch = (text(1), text(1, seed=2))
    with tf.GradientTape() as tape:
        result = network.loss(batch, hidden(), SEED, PROGRESS)
    assert float(result.loss) == float(result.means["loss"])
    kernel = network.model.cell.input_kernel.value
    assert np.isfinite(tape.gradient(result.loss, kernel).numpy()).all()


def test_one_trace_trains_all_lengths():
    network = NextWordPrediction(built(), temporal_activation_penalty=1e-3)

    @tf.function(
        autograph=False, input_signature=[network.batch_signature, tf.TensorSpec([None, UNITS])]
    )
    def step(batch, state):
        with tf.GradientTape() as tape:
            result = network.loss(batch, state, SEED, PROGRESS)
        weights = [variable.value for variable in network.weights]
        for weight, slope in zip(weights, tape.gradient(result.loss, weights), strict=True):
            weight.assign_sub(0.5 * tf.convert_to_tensor(slope))
        return result.loss, result.state

    state = network.initial_state(BATCH)
    for rows in (5, 55, 17, 35):
        loss, state = step((text(rows), text(rows, seed=2)), state)
        assert np.isfinite(loss)
    assert step.experimental_get_tracing_count() == 1


def test_evaluation_sums_over_predictions():
    network = NextWordPrediction(
        grown(built()), temporal_activation_penalty=1.0, activation_penalty=1.0
    )
    batch = (text(), text(seed=2))
    result = network.evaluation_sums(batch, network.initial_state(BATCH))
    logits, state = network.model(batch[0], hidden())
    losses = keras.losses.sparse_categorical_crossentropy(batch[1], logits, from_logits=True)
    assert float(result.count) == 5 * BATCH
    assert float(result.totals["loss"]) == pytest.approx(float(tf.reduce_sum(losses)), rel=1e-5)
    np.testing.assert_array_equal(result.state, state)
    assert network.scores({"loss": 2.0})["perplexity"] == pytest.approx(np.exp(2.0))
    assert np.isfinite(network.scores({"loss": 1e6})["perplexity"])


def test_a_decoder_that_is_not_tied_is_refused():
    model = built()
    names = language_model_official_names(model)
    state = {name: weight.to_official(weight.variable.numpy()) for name, weight in names.items()}
    table = state["encoder.weight"]
    assign_official(names, state | {"decoder.weight": table.copy()})
    with pytest.raises(UserError, match="tied"):
        assign_official(names, state | {"decoder.weight": table + 1.0, "decoder.bias": table[:, 0]})
    assert not model.bias.numpy().any(), "nothing was assigned"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"genotype": PUBLISHED["convolutional"]["darts_v2"]},
            "cannot be made of a ConvolutionalGenotype; give it a recurrent genotype",
        ),
        ({"genotype": "darts_v2"}, "cannot be made of a str"),
        ({"words": "ten"}, "words is 'ten'; a language model needs at least 1, a whole number"),
        ({"units": -1}, "units is -1; a language model needs at least 1"),
    ],
)
def test_settings_that_make_no_language_model(settings, sentence):
    with pytest.raises(UserError, match=sentence):
        LanguageModel(**{"genotype": V2, "words": WORDS, "units": UNITS} | settings)
