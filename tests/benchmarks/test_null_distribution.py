"""Percentiles, p and the best of n: against enumeration, simulation and closed forms."""

import itertools

import numpy as np
import pytest
from scipy import stats

from tf_darts.benchmarks.null_distribution import NullDistribution, by_mean_percentile, fisher

SCORES = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0]


def test_percentiles_and_p():
    null = NullDistribution(np.array(SCORES))
    assert null.size == 6
    assert [null.percentile(s) for s in (0.0, 1.0, 3.0, 9.0, 10.0)] == pytest.approx(
        [0.0, 0.0, 100 / 3, 500 / 6, 100.0]
    )
    # Both cells of score 1 count: a random cell is at least as good with certainty.
    assert [null.p(s) for s in (1.0, 3.0, 9.0, 10.0)] == [1.0, 4 / 6, 1 / 6, 0.0]
    for score in SCORES:
        assert null.p(score) == pytest.approx(1 - null.percentile(score) / 100, abs=1e-15)
    np.testing.assert_allclose(null.quantiles([0.0, 0.5, 1.0]), [1.0, 3.5, 9.0])


@pytest.mark.parametrize("replacement", [True, False])
@pytest.mark.parametrize("draws", [1, 2, 3])
def test_the_best_of_n_is_that_of_all_draws(replacement, draws):
    null = NullDistribution(np.array(SCORES))
    if replacement:
        every = itertools.product(SCORES, repeat=draws)
    else:
        every = itertools.combinations(SCORES, draws)
    bests = [max(one) for one in every]
    mean, deviation = null.best_of(draws, replacement=replacement)
    assert mean == pytest.approx(np.mean(bests), abs=1e-12)
    assert deviation == pytest.approx(np.std(bests), abs=1e-12)
    if replacement:
        for score in (1.0, 4.0, 9.0):
            assert null.p(score, draws) == pytest.approx(np.mean([b >= score for b in bests]))


def test_all_cells_without_replacement_have_the_best():
    assert NullDistribution(np.array(SCORES)).best_of(6, replacement=False) == (9.0, 0.0)


def test_one_run_together_is_itself():
    assert fisher([0.37]) == pytest.approx(0.37) == by_mean_percentile([0.37])


def test_runs_together():
    ps = [0.01, 0.2, 0.3]
    assert fisher(ps) == pytest.approx(stats.chi2.sf(-2 * np.sum(np.log(ps)), 6), rel=1e-9)
    # The sum of three uniform numbers is below s ≤ 1 with probability s³/6.
    assert by_mean_percentile(ps) == pytest.approx(0.51**3 / 6, rel=1e-9)
    assert by_mean_percentile([0.5] * 40) == pytest.approx(0.5, abs=1e-6)
    assert by_mean_percentile([1.0, 1.0]) == fisher([1.0, 1.0]) == 1.0
    assert 0.0 <= by_mean_percentile([6.4e-5] * 4) < 1e-13


def test_under_the_null_p_is_uniform_or_larger():
    """With ties too: an error of the first kind is at most as frequent as it says."""
    random = np.random.default_rng(0)
    null = NullDistribution(np.repeat(np.arange(40.0), 5))
    for together in (fisher, by_mean_percentile):
        drawn = [
            together([null.p(score) for score in random.choice(null.scores, 4)]) for _ in range(400)
        ]
        for level in (0.05, 0.2, 0.5):
            assert np.mean(np.array(drawn) <= level) < level + 4 * np.sqrt(level / 400)
