import itertools

import numpy as np
import pytest

from tests.support.comparison import assert_same_batches
from tf_darts.data.asset_files import read_listed
from tf_darts.data.texts.corpus import Corpus
from tf_darts.data.texts.training_batches import TextTrainingData, text_test
from tf_darts.data.texts.vocabulary import Vocabulary
from tf_darts.errors import UserError

BATCH = 3


def make_corpus(train=3000, validation=600, test=50):
    """Every token is its own position, the parts one after the other."""
    words = Vocabulary(tuple(map(str, range(train + validation + test))))
    starts = np.cumsum([0, train, validation, test])
    parts = (
        np.arange(start, end, dtype=np.int32) for start, end in itertools.pairwise(starts.tolist())
    )
    return Corpus("positions", words, *parts)


def make(corpus=None, **settings):
    settings = {"batch_size": BATCH, "seed": 1} | settings
    return TextTrainingData(corpus or make_corpus(), **settings)


def lengths_of(data, passes=10):
    """All but the last of each pass, which is what is left."""
    return np.array([n for number in range(passes) for _, n in data._passes.stretches(number)[:-1]])


def test_batches():
    for batch in make().epoch(0):
        inputs, targets = batch.batch
        assert inputs.shape == targets.shape == (len(inputs), BATCH)
        assert inputs.dtype == targets.dtype == np.int32
        np.testing.assert_array_equal(targets, inputs + 1)
        assert batch.learning_rate_scale == len(inputs) / 35


def test_lengths_are_normal_around_the_usual_one():
    lengths = lengths_of(make(make_corpus(train=35 * 3 * 1000), short_probability=0))
    # About 10,000 draws, cut down to integers: a mean of 34.5, each moment within 4 deviations.
    assert lengths.mean() == pytest.approx(34.5, abs=0.2)
    assert lengths.std() == pytest.approx(5, abs=0.15)
    assert lengths.min() < 20 and lengths.max() > 50
    within = np.mean(np.abs(lengths - 34.5) < 5)
    assert within == pytest.approx(0.68, abs=0.02)


def test_lengths_are_normal_around_half_of_it():
    lengths = lengths_of(make(make_corpus(train=35 * 3 * 500), short_probability=1))
    assert lengths.mean() == pytest.approx(17.0, abs=0.2)
    assert lengths.std() == pytest.approx(5, abs=0.15)
    assert lengths.min() == 5  # 0.6 % are cut off there


def test_one_batch_in_twenty_is_short():
    lengths = lengths_of(make(make_corpus(train=35 * 3 * 1000)))
    # A normal one is below 23 with probability 0.008, a short one with 0.864.
    expected = 0.95 * 0.0082 + 0.05 * 0.8643
    assert np.mean(lengths < 23) == pytest.approx(expected, abs=0.009)


@pytest.mark.parametrize("bptt", [4, 10, 35])
def test_lengths_are_cut_off(bptt):
    for probability in (0, 0.5, 1):
        lengths = lengths_of(make(bptt=bptt, short_probability=probability))
        assert lengths.min() >= 5
        assert lengths.max() <= bptt + 20
    huge = make(bptt=bptt, short_probability=0)

    class Wide:
        random = staticmethod(np.zeros)

        @staticmethod
        def normal(means, deviation):
            assert deviation == 5
            return np.resize([-100.0, 1000.0], len(means))

    assert set(huge._lengths(Wide)) == {5, bptt + 20}


@pytest.mark.parametrize("number", range(5))
def test_a_pass_visits_every_row_once(number):
    batches = list(make().epoch(number))
    rows = np.concatenate([batch.batch[1] for batch in batches])
    assert len(rows) in (998, 999)  # of 1000 rows: a last single one is left out
    for column in range(BATCH):
        expected = 1000 * column + np.arange(1, len(rows) + 1)
        np.testing.assert_array_equal(rows[:, column], expected)
    assert [batch.starts_pass for batch in batches] == [True, *[False] * (len(batches) - 1)]
    assert len(batches[-1].batch[0]) >= 2


def test_passes_and_seeds_differ_and_repeat():
    assert_same_batches(make().epoch(3), make().epoch(3))
    lengths = [
        tuple(len(batch.batch[0]) for batch in make(seed=seed).epoch(number))
        for seed, number in ((1, 0), (1, 1), (2, 0), (-1, 0))
    ]
    assert len(set(lengths)) == 4


@pytest.mark.parametrize("steps_per_epoch", [0, 7, 30, 100])
def test_steps_and_resuming(steps_per_epoch):
    whole = list(make(steps_per_epoch=steps_per_epoch).epoch(4))
    assert len(whole) == make(steps_per_epoch=steps_per_epoch).steps(4)
    for start in (0, 1, 5, len(whole) - 1, len(whole)):
        resumed = make(steps_per_epoch=steps_per_epoch)  # as in a new process
        assert_same_batches(resumed.epoch(4, start), whole[start:])


@pytest.mark.parametrize("steps_per_epoch", [7, 30, 100])
def test_short_epochs_partition_the_passes(steps_per_epoch):
    passes = make()
    sequence = itertools.chain.from_iterable(passes.epoch(number) for number in itertools.count())
    expected = list(itertools.islice(sequence, 5 * steps_per_epoch))
    short = make(steps_per_epoch=steps_per_epoch)
    assert_same_batches(itertools.chain.from_iterable(map(short.epoch, range(5))), expected)


@pytest.mark.parametrize("columns", [1, 7, 10])
def test_evaluation_predicts_every_row_once(columns):
    data = make(evaluation_batch_size=columns)
    assert data.validates
    assert data.evaluation_batch_size == columns
    pairs = list(data.evaluation())
    assert {len(inputs) for inputs, _ in pairs[:-1]} == {35}
    targets = np.concatenate([targets for _, targets in pairs])
    rows = 600 // columns
    expected = 3000 + np.arange(columns * rows).reshape(columns, rows)[:, 1:]
    np.testing.assert_array_equal(targets.T, expected)
    for inputs, targets in pairs:
        np.testing.assert_array_equal(targets, inputs + 1)


def test_without_a_test_part():
    corpus = make_corpus()
    without = Corpus(corpus.name, corpus.vocabulary, corpus.train, corpus.validation)
    assert_same_batches(make(without).epoch(0), make(corpus).epoch(0))
    with pytest.raises(ValueError, match="positions was loaded without its test part"):
        text_test(without)


@pytest.mark.parametrize(("settings", "columns"), [({}, 1), ({"batch_size": 4, "bptt": 5}, 4)])
def test_the_test_part_is_predicted_once(settings, columns):
    pairs = list(text_test(make_corpus(), **settings))
    targets = np.concatenate([targets for _, targets in pairs])
    rows = 50 // columns
    expected = 3600 + np.arange(columns * rows).reshape(columns, rows)[:, 1:]
    np.testing.assert_array_equal(targets.T, expected)
    assert len(pairs[0][0]) == settings.get("bptt", 35)
    for inputs, targets in pairs:
        np.testing.assert_array_equal(targets, inputs + 1)


def test_description():
    assert make().description() == {
        "dataset": "positions",
        "vocabulary": 3650,
        "train_tokens": 3000,
        "validation_tokens": 600,
    }


def test_the_vocabulary_is_kept():
    (file, content), *others = make().assets().items()
    assert (file, others) == ("vocabulary.txt", [])
    assert read_listed(content) == make_corpus().vocabulary.words


@pytest.mark.parametrize(
    ("sizes", "settings", "words"),
    [
        ({"train": 8}, {}, r"training part has 8 .*need 9; use --batch_size=\d+ or less"),
        ({}, {"evaluation_batch_size": 301}, r"validation part has 600 tokens, but 301 columns"),
        ({}, {"batch_size": 0}, "batch size of 0"),
        ({}, {"bptt": 3}, "4 or more"),
        ({}, {"short_probability": 1.5}, "between 0 and 1"),
        ({}, {"steps_per_epoch": -1}, "-1 steps per epoch"),
    ],
)
def test_errors(sizes, settings, words):
    with pytest.raises(UserError, match=words):
        make(make_corpus(**sizes), **settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch_size": 26}, "test part has 50 tokens, but 26 columns"),
        ({"batch_size": 0}, "batch size of 0"),
        ({"bptt": 0}, "length of 0 rows"),
    ],
)
def test_errors_of_the_test(settings, words):
    with pytest.raises(UserError, match=words):
        text_test(make_corpus(), **settings)
