"""What a score is worth: the exact distribution of the scores of cells drawn at random.

All cells of a space are in a table, so that nothing is estimated: a cell drawn uniformly has each
of the N scores with probability 1/N. Where several cells have the same score, p counts all of them,
so it is never too small.
"""

from collections.abc import Sequence

import numpy as np


class NullDistribution:
    """The scores of all cells, as what a random choice among them gives.

    Args:
      scores: [N], at least one; larger is better.
    """

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = np.sort(np.asarray(scores, np.float64))

    @property
    def size(self) -> int:
        """N, the number of cells."""
        return len(self.scores)

    def percentile(self, score: float) -> float:
        """The percentage of cells whose score is smaller, 0 to 100."""
        return 100.0 * float(np.searchsorted(self.scores, score, "left")) / self.size

    def p(self, score: float, draws: int = 1) -> float:
        """The probability that the best of so many random cells has this score or a larger one.

        With one draw it is 1 − percentile/100; with n draws 1 − (1 − p)ⁿ.
        """
        p = (self.size - int(np.searchsorted(self.scores, score, "left"))) / self.size
        return p if draws == 1 or p == 1.0 else float(-np.expm1(draws * np.log1p(-p)))

    def quantiles(self, probabilities: Sequence[float]) -> np.ndarray:
        """The scores that so large a part of the cells does not exceed, interpolated."""
        return np.quantile(self.scores, probabilities)

    def best_of(self, draws: int, *, replacement: bool = True) -> tuple[float, float]:
        """Mean and standard deviation of the best of n random cells, by order statistics.

        With x₍ᵢ₎ the i-th smallest score, P(best ≤ x₍ᵢ₎) is (i/N)ⁿ, or, where no cell is drawn
        twice, C(i, n)/C(N, n).

        Args:
          draws: n, at least 1; without replacement at most N.
          replacement: whether a cell may be drawn again.
        """
        ranks = np.arange(self.size + 1, dtype=np.float64)
        if replacement:
            below = (ranks / self.size) ** draws
        else:
            below = np.ones_like(ranks)
            for drawn in range(draws):
                below *= np.maximum(ranks - drawn, 0.0) / (self.size - drawn)
        weights = np.diff(below)
        mean = float(weights @ self.scores)
        return mean, float(np.sqrt(weights @ (self.scores - mean) ** 2))


def fisher(ps: Sequence[float]) -> float:
    """The p of several independent runs together by Fisher's method, −2 Σ ln p against χ²(2n).

    Where scores tie it is a little too large, never too small.
    """
    from scipy import stats  # SciPy takes half a second, which no run should begin with

    return float(stats.combine_pvalues(ps, "fisher").pvalue)


def by_mean_percentile(ps: Sequence[float]) -> float:
    """The p of several independent runs together by the mean of their percentiles.

    Under the null distribution the mean of n percentiles is that of n uniform numbers (Irwin and
    Hall's distribution), where no scores tie; where some do, the p is too large, never too small.
    """
    from scipy import stats

    return float(np.clip(stats.irwinhall(len(ps)).cdf(sum(ps)), 0.0, 1.0))
