import numpy as np
import pytest

from tf_darts.data.texts.passes import TextPasses, batchify, evaluation_pairs
from tf_darts.errors import UserError


def make(targets=100, **settings):
    def lengths(random):
        return random.integers(3, 9, targets // 3 + 1)

    settings = {"bptt": 35, "seed": 1, "short_probability": 0, "steps_per_epoch": 0} | settings
    return TextPasses(targets, lengths, **settings)


def test_batchify_makes_contiguous_columns():
    rows = batchify(np.arange(11, dtype=np.int32), 3)
    assert rows.dtype == np.int32
    assert rows.tolist() == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]


def test_batchify_needs_enough_text():
    with pytest.raises(UserError, match=r"validation part has 11 tokens.*need 12.*--batch_size"):
        batchify(np.arange(11), 4, 3, "validation")
    with pytest.raises(UserError, match="batch size of 0"):
        batchify(np.arange(11), 0)


@pytest.mark.parametrize(("count", "lengths"), [(9, [4, 4]), (10, [4, 4, 1]), (2, [1]), (5, [4])])
def test_evaluation_pairs(count, lengths):
    pairs = list(evaluation_pairs(np.arange(count)[:, np.newaxis], 4))
    assert [len(inputs) for inputs, _ in pairs] == lengths
    targets = np.concatenate([targets for _, targets in pairs])
    assert targets[:, 0].tolist() == list(range(1, count))
    for inputs, targets in pairs:
        np.testing.assert_array_equal(targets, inputs + 1)


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("targets", [2, 3, 10, 100])
def test_stretches_follow_one_another(number, targets):
    stretches = make(targets).stretches(number)
    end = 0
    for start, length in stretches:
        assert start == end
        assert 2 <= length < 9
        end = start + length
    assert end in (targets - 1, targets)


def test_passes_differ_and_repeat():
    assert make().stretches(3) == make().stretches(3)
    assert make().stretches(3) != make().stretches(4)
    assert make().stretches(3) != make(seed=2).stretches(3)


@pytest.mark.parametrize("steps_per_epoch", [0, 1, 7, 50])
def test_resuming(steps_per_epoch):
    whole = list(make(steps_per_epoch=steps_per_epoch).epoch(5))
    assert len(whole) == make(steps_per_epoch=steps_per_epoch).steps(5)
    for start in range(len(whole) + 2):
        resumed = make(steps_per_epoch=steps_per_epoch).epoch(5, start)
        assert list(resumed) == whole[start:]


def test_a_pass_starts_at_the_top():
    sequence = [stretch for epoch in range(9) for stretch in make(steps_per_epoch=11).epoch(epoch)]
    assert sum(stretch.starts_pass for stretch in sequence) > 2
    for stretch in sequence:
        assert stretch.starts_pass == (stretch.start == 0)
