import fractions
import itertools

import numpy as np
import pytest
from scipy import stats

from tf_darts.report.statistics import compare, scores_by_source, summarise

OURS, RANDOM = [58.1, 58.9, 57.7, 59.0], [61.8, 60.2, 62.5, 61.0]


def test_summary_of_seeds():
    summary = summarise(OURS, "min")
    assert (summary.n, summary.best) == (4, 57.7)
    assert summary.deviation == pytest.approx(np.std(OURS) * np.sqrt(4 / 3))
    assert str(summary) == "58.42 ± 0.63"
    assert summarise(OURS, "max").best == 59.0


def test_one_seed_has_no_deviation():
    summary = summarise([58.1], "min")
    assert (summary.deviation, str(summary)) == (None, "58.10")


def test_p_values_of_two_groups():
    compared = compare(OURS, RANDOM)
    assert compared.difference == pytest.approx(-2.95)
    assert compared.welch == pytest.approx(stats.ttest_ind(OURS, RANDOM, equal_var=False).pvalue)
    # All of one group below all of the other: one exchange in 70 does that, and one the opposite.
    assert compared.permutation == pytest.approx(2 / 70)
    assert compared.exact


def test_permutations_are_all_tried():
    ours, reference = [1.0, 4.0, 6.5], [2.0, 5.0, 9.0]
    pooled = np.array(ours + reference)
    everything = set(range(6))
    differences = [
        pooled[list(chosen)].mean() - pooled[list(everything - set(chosen))].mean()
        for chosen in itertools.combinations(range(6), 3)
    ]
    there = np.mean(ours) - np.mean(reference)
    below = np.mean([d <= there + 1e-12 for d in differences])
    assert compare(ours, reference).permutation == pytest.approx(2 * below)


@pytest.mark.parametrize(
    ("ours", "reference"),
    [
        ([97.45, 97.33, 97.19, 97.36], [97.16, 97.05, 97.10, 97.19]),
        ([94.2, 94.6, 94.3, 94.3], [94.1, 94.2, 94.2, 94.1]),
        ([0.0001, 0.0003, 0.0002], [0.0002, 0.0001, 0.0002]),
        ([1e6 + 0.1, 1e6 + 0.3], [1e6 + 0.2, 1e6 + 0.2]),
    ],
)
def test_exchanges_that_are_as_far_apart_count_whatever_roundings_say(ours, reference):
    """Decimals that a binary number does not have exactly: counted by fractions."""
    pooled = [fractions.Fraction(str(score)) for score in (*ours, *reference)]
    total = sum(pooled)

    def distance(own):
        return abs(sum(own) / len(ours) - (total - sum(own)) / len(reference))

    there = distance(pooled[: len(ours)])
    far = [distance(own) >= there for own in itertools.combinations(pooled, len(ours))]
    wanted = sum(far) / len(far)
    assert compare(ours, reference).permutation == pytest.approx(wanted)


def test_too_many_permutations_are_drawn_the_same_every_time():
    ours, reference = list(np.linspace(0, 1, 14)), list(np.linspace(0.3, 1.3, 14))
    compared = compare(ours, reference)
    assert not compared.exact and compared == compare(ours, reference)
    assert compared.permutation == pytest.approx(compared.welch, abs=0.02)


def test_equal_scores_have_no_t_test():
    compared = compare([5.0, 5.0], [7.0, 7.0])
    assert compared.welch is None and compared.difference == -2.0
    assert compare([5.0, 5.0], [7.0, 7.5]).welch is not None
    # The mean of three times 11.05 is not 11.05, and their deviation by the formula not 0.
    assert np.std([11.05] * 3) > 0
    assert compare([11.05] * 3, [12.05] * 3).welch is None
    assert summarise([11.05] * 3, "max").deviation == 0.0


@pytest.mark.parametrize("groups", [([1.0], [1.0, 2.0]), ([1.0, 2.0], [1.0]), ([], [])])
def test_single_scores_are_not_compared(groups):
    assert compare(*groups) is None


def test_of_hyperband_those_count_that_had_all_epochs():
    def trial(score, status="completed", **settings):
        return {"source": "hyperband", "status": status, "score": score, "settings": settings}

    trials = [trial(9.0, epochs=3), trial(5.0, epochs=9), trial(7.0, epochs=9)]
    failed = trial(None, "failed", epochs=9)
    assert scores_by_source([*trials, failed], "max") == {"hyperband": [5.0, 7.0]}
    tuned = [trial(1.0, **{"train.epochs": 2}), trial(2.0, **{"train.epochs": 4})]
    assert scores_by_source(tuned, "max") == {"hyperband": [1.0, 2.0]}
