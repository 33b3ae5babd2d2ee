import itertools

import numpy as np
import pytest

from tests.support.comparison import assert_same_batches
from tf_darts.data.texts.corpus import Corpus
from tf_darts.data.texts.search_batches import TextSearchData
from tf_darts.data.texts.vocabulary import Vocabulary
from tf_darts.errors import UserError

BATCH = 3


def make_corpus(train=3000, validation=600, test=50):
    """Every token is its own position, so that batches tell where they come from."""
    words = Vocabulary(tuple(map(str, range(max(train, validation)))))
    parts = (np.arange(n, dtype=np.int32) for n in (train, validation, test))
    return Corpus("positions", words, *parts)


def make(corpus=None, **settings):
    return TextSearchData(corpus or make_corpus(), **{"batch_size": BATCH, "seed": 1, **settings})


def test_shapes_and_targets():
    for batch in make().epoch(0):
        (inputs, targets), (valid_inputs, valid_targets) = batch.train, batch.validation
        length = len(inputs)
        assert inputs.shape == targets.shape == (length, BATCH)
        assert valid_inputs.shape == valid_targets.shape == (35, BATCH)
        assert {a.dtype for a in (*batch.train, *batch.validation)} == {np.dtype(np.int32)}
        np.testing.assert_array_equal(targets, inputs + 1)
        assert batch.learning_rate_scale == length / 35


@pytest.mark.parametrize("number", range(5))
def test_a_pass_visits_every_row_once(number):
    batches = list(make(short_probability=0.3).epoch(number))
    rows = np.concatenate([batch.train[1] for batch in batches])
    # 1000 rows: all but the first are targets, save perhaps a last single one.
    np.testing.assert_array_equal(rows[:, 0], np.arange(1, len(rows) + 1))
    assert len(rows) in (998, 999)


def test_the_last_single_row_is_left_out():
    # 73 rows are 72 targets, in stretches of 35, 35, 2; one row less leaves a single one.
    lengths = [
        [len(batch.train[0]) for batch in make(make_corpus(train=n), short_probability=0).epoch(0)]
        for n in (BATCH * 73, BATCH * 72, BATCH * 71, BATCH * 36)
    ]
    assert lengths == [[35, 35, 2], [35, 35], [35, 35], [35]]


def test_shortest_length():
    batches = make(bptt=4, short_probability=0.5).epoch(0)
    assert {len(batch.train[0]) for batch in batches} <= {2, 3, 4}


def test_one_batch_in_twenty_is_short():
    data = make(make_corpus(train=35 * 3 * 1000))
    lengths = [length for number in range(10) for _, length in data._passes.stretches(number)[:-1]]
    assert set(lengths) == {17, 35}
    # About 10,000 draws: the standard deviation is 0.0022.
    assert np.mean(np.array(lengths) == 17) == pytest.approx(0.05, abs=0.009)


@pytest.mark.parametrize(("probability", "lengths"), [(0, {35}), (1, {17})])
def test_probability_bounds(probability, lengths):
    batches = list(make(short_probability=probability).epoch(0))
    assert {len(batch.train[0]) for batch in batches[:-1]} == lengths


def test_passes_and_seeds_differ_and_repeat():
    settings = {"short_probability": 0.5}
    data = make(**settings)
    assert_same_batches(data.epoch(3), make(**settings).epoch(3))
    assert data._passes.stretches(0) != data._passes.stretches(1)
    assert data._passes.stretches(0) != make(seed=2, **settings)._passes.stretches(0)
    assert make(seed=-1).steps(0) > 0


def test_starts_pass():
    flags = [batch.starts_pass for batch in make().epoch(2)]
    assert flags[0] and not any(flags[1:])


@pytest.mark.parametrize("steps_per_epoch", [0, 7, 100])
def test_steps_counts_the_batches(steps_per_epoch):
    data = make(steps_per_epoch=steps_per_epoch)
    for epoch in range(4):
        assert data.steps(epoch) == len(list(data.epoch(epoch)))
        assert not steps_per_epoch or data.steps(epoch) == steps_per_epoch


@pytest.mark.parametrize("steps_per_epoch", [7, 30, 100])
def test_short_epochs_partition_the_passes(steps_per_epoch):
    passes = make()
    short = make(steps_per_epoch=steps_per_epoch)
    sequence = itertools.chain.from_iterable(passes.epoch(number) for number in itertools.count())
    expected = list(itertools.islice(sequence, 6 * steps_per_epoch))
    assert_same_batches(itertools.chain.from_iterable(map(short.epoch, range(6))), expected)
    assert sum(batch.starts_pass for batch in expected) > 1


@pytest.mark.parametrize("steps_per_epoch", [0, 20])
def test_resuming_gives_the_same_batches(steps_per_epoch):
    whole = list(make(steps_per_epoch=steps_per_epoch).epoch(4))
    for start in (0, 1, 9, len(whole) - 1, len(whole)):
        resumed = make(steps_per_epoch=steps_per_epoch)  # as in a new process
        assert_same_batches(resumed.epoch(4, start), whole[start:])


def test_validation_is_read_at_the_training_position_and_wraps_around():
    data = make(make_corpus(validation=BATCH * 40))  # 39 input rows
    position = 0
    wrapped = 0
    for batch in data.epoch(0):
        inputs, targets = batch.validation
        assert inputs[0, 0] == position % 39
        expected = (position + np.arange(35)) % 39
        np.testing.assert_array_equal(inputs[:, 0], expected)
        np.testing.assert_array_equal(inputs[:, 1], expected + 40)
        np.testing.assert_array_equal(targets, inputs + 1)
        wrapped += position % 39 > 4
        position += len(batch.train[0])
    assert wrapped


def test_evaluation_predicts_every_row_once():
    pairs = list(make(evaluation_batch_size=7).evaluation())  # 85 rows, 84 targets
    assert [len(inputs) for inputs, _ in pairs] == [35, 35, 14]
    targets = np.concatenate([targets for _, targets in pairs])
    np.testing.assert_array_equal(targets.T, np.arange(7 * 85).reshape(7, 85)[:, 1:])
    for inputs, targets in pairs:
        np.testing.assert_array_equal(targets, inputs + 1)
    # A text's sample is its beginning: states go on from one batch to the next.
    for ours, theirs in zip(make(evaluation_batch_size=7).sample(), pairs, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_description():
    assert make().description() == {
        "dataset": "positions",
        "vocabulary": 3000,
        "train_tokens": 3000,
        "validation_tokens": 600,
    }


@pytest.mark.parametrize(
    ("sizes", "settings", "words"),
    [
        ({"train": 107}, {}, r"training part has 107 .*need 108; use --batch_size=\d+ or less"),
        ({"validation": 100}, {}, r"validation part has 100 .*--batch_size"),
        ({"train": 107, "validation": 100}, {}, "validation part has 100"),
        ({}, {"evaluation_batch_size": 301}, r"validation part has 600 tokens, but 301 columns"),
        ({}, {"bptt": 3}, "4 or more"),
        ({}, {"short_probability": 1.5}, "between 0 and 1"),
        ({}, {"steps_per_epoch": -1}, "-1 steps per epoch"),
    ],
)
def test_errors(sizes, settings, words):
    with pytest.raises(UserError, match=words):
        make(make_corpus(**sizes), **settings)


def test_joint_streams_read_both_parts_half_of_the_whole_apart():
    corpus = make_corpus()
    settings = {"corpus": corpus, "batch_size": 2, "bptt": 4, "short_probability": 0.0}
    data, apart = make(**settings, joint=True), make(**settings)
    both = np.concatenate([corpus.train, corpus.validation])
    first = next(iter(data.epoch(0)))
    np.testing.assert_array_equal(first.train[0][:, 0], both[:4])
    np.testing.assert_array_equal(first.validation[0][:, 0], both[len(both) // 2 :][:4])
    learnt = {int(token) for batch in data.epoch(0) for token in batch.train[1][:, 1]}
    assert learnt >= set(corpus.validation[:-1].tolist()), "the validation part is learnt from"
    assert data.steps(0) > apart.steps(0)
    for ours, theirs in zip(data.evaluation(), apart.evaluation(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
