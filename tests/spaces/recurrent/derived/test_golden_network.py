"""Derived language models against numbers from an independent float64 implementation."""

import json

import pytest
import tensorflow as tf

from tests.support.golden import error, state_of
from tf_darts.cells.genotype import RecurrentGenotype
from tf_darts.cells.published import PUBLISHED
from tf_darts.formats.official_weights import assign_official, language_model_official_names
from tf_darts.spaces.recurrent.derived.objective import LanguageModel, NextWordPrediction

SEED, PROGRESS = tf.constant([0, 0]), tf.constant(0.0)  # there is no dropout: nothing is drawn
SLOWNESS = 1e-3
NO_DROPOUT = dict(
    embedding_dropout=0.0,
    input_dropout=0.0,
    hidden_dropout=0.0,
    cell_input_dropout=0.0,
    output_dropout=0.0,
)


class Problem:
    """A golden cell with its weights and its batch."""

    def __init__(self, numbers, cell):
        self.golden = {
            name.split("/", 1)[1]: value
            for name, value in numbers.items()
            if name.startswith(f"{cell}/")
        }
        state = state_of(self.golden)
        words, units = state["encoder.weight"].shape
        self.genotype = RecurrentGenotype.from_dict(json.loads(str(self.golden["genotype"])))
        self.model = LanguageModel(self.genotype, words, units, **NO_DROPOUT)
        self.model.build()
        self.names = language_model_official_names(self.model)
        assign_official(self.names, state)
        self.batch = tuple(tf.constant(numbers[axis], tf.int32) for axis in "xy")
        self.hidden = tf.constant(numbers["hidden"][0], self.model.dtype)

    def network(self, slowness):
        return NextWordPrediction(self.model, temporal_activation_penalty=slowness)

    def loss_and_gradients(self, slowness):
        """The loss, and its gradients by official names."""
        network = self.network(slowness)

        @tf.function(autograph=False)
        def run():
            with tf.GradientTape() as tape:
                result = network.loss(self.batch, self.hidden, SEED, PROGRESS)
            gradients = tape.gradient(result.loss, [variable.value for variable in network.weights])
            return result, [tf.convert_to_tensor(gradient) for gradient in gradients]

        result, gradients = run()
        official = {weight.variable.path: name for name, weight in self.names.items()}
        paths = [variable.path for variable in network.weights]
        return result, dict(zip([official[path] for path in paths], gradients, strict=True))


@pytest.fixture(params=["DARTS_V1", "DARTS_V2"])
def cell(request):
    return request.param


@pytest.fixture
def numbers(load_golden):
    return load_golden("recurrent_network")


def check(problem, tolerance):
    golden, seen = problem.golden, set()

    def close(ours, name):
        seen.add(name)
        assert error(ours, golden[name]) < tolerance, name

    for training, name in ((False, "log_prob"), (True, "log_prob_train")):
        logits, hidden = problem.model(
            problem.batch[0], problem.hidden, training=training, seed=SEED
        )
        close(tf.nn.log_softmax(logits), name)
        close(hidden[tf.newaxis], "hidden_next")
    close(problem.model.features(problem.batch[0], problem.hidden).outputs, "rnn_h")
    for slowness, suffix in ((0.0, ""), (SLOWNESS, "_reg")):
        result, gradients = problem.loss_and_gradients(slowness)
        close(result.loss, f"train_loss{suffix}")
        assert error(result.means["loss"], golden["train_loss"]) < tolerance
        assert error(result.state, golden["hidden_next"][0]) < tolerance
        for name, gradient in gradients.items():
            close(gradient, f"grad{suffix}/{name}")
    result = problem.network(SLOWNESS).evaluation_sums(problem.batch, problem.hidden)
    assert error(result.totals["loss"] / result.count, golden["train_loss"]) < tolerance
    given = {name for name in golden if name.startswith("param/")} | {"genotype"}
    assert seen == set(golden) - given, "every number is compared"


@pytest.mark.slow
def test_float64(numbers, cell, float64):
    check(Problem(numbers, cell), 1e-9)


@pytest.mark.slow
def test_float32_is_near(numbers, cell):
    check(Problem(numbers, cell), 1e-4)


def test_the_cells_are_the_published_ones(numbers, cell):
    assert Problem(numbers, cell).genotype == PUBLISHED["recurrent"][cell.lower()]
