"""Scores over seeds: their mean and deviation, and whether two groups of them differ."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# Two groups can be exchanged in so many ways that all are tried; of more, so many are drawn.
_EXCHANGES = 200_000
GIVEN = "given"  # the source of cells that somebody chose, which are no sample
_DIGITS = 10  # of a score that count: those behind them are roundings


@dataclasses.dataclass(frozen=True)
class Summary:
    """The scores of a group.

    Attributes:
      n: how many.
      mean: of them.
      deviation: standard deviation with n - 1; None of a single score.
      best: the smallest or the largest.
    """

    n: int
    mean: float
    deviation: float | None
    best: float

    def __str__(self) -> str:
        if self.deviation is None:
            return f"{self.mean:.2f}"
        return f"{self.mean:.2f} ± {self.deviation:.2f}"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A group beside the one it is compared with.

    Attributes:
      difference: of the means, the reference's taken away.
      welch: two-sided p value of Welch's t-test; None where no score differs within its group.
      permutation: two-sided p value of the same difference when scores change groups at random.
      exact: whether all such exchanges were tried.
    """

    difference: float
    welch: float | None
    permutation: float
    exact: bool


def summarise(scores: Sequence[float], score_mode: str) -> Summary:
    """The summary of at least one score; `score_mode` is "min" or "max"."""
    deviation = _deviation(scores) if len(scores) > 1 else None
    best = min(scores) if score_mode == "min" else max(scores)
    return Summary(len(scores), float(np.mean(scores)), deviation, float(best))


def _deviation(scores: Sequence[float]) -> float:
    """With n - 1, and exactly 0 of equal scores, whose mean may differ from them by a rounding."""
    return float(np.std(scores, ddof=1)) if min(scores) < max(scores) else 0.0


def compare(scores: Sequence[float], reference: Sequence[float]) -> Comparison | None:
    """Compares two groups of scores; None where one has less than two."""
    if min(len(scores), len(reference)) < 2:
        return None
    from scipy import stats  # SciPy takes half a second, which no run should begin with

    moments = [
        moment
        for group in (scores, reference)
        for moment in (np.mean(group), _deviation(group), len(group))
    ]
    constant = moments[1] == moments[4] == 0.0
    welch = None if constant else stats.ttest_ind_from_stats(*moments, equal_var=False).pvalue
    largest = max(map(abs, (*scores, *reference)))
    exact = math.comb(len(scores) + len(reference), len(scores)) <= _EXCHANGES
    permutation = stats.permutation_test(
        (scores, reference),
        lambda a, b, axis: rounded(np.mean(a, axis=axis) - np.mean(b, axis=axis), largest),
        n_resamples=_EXCHANGES if exact else _EXCHANGES // 10,
        batch=10_000,
        vectorized=True,
        rng=np.random.default_rng(0),
    )
    return Comparison(
        difference=float(moments[0] - moments[3]),
        welch=None if welch is None else float(welch),
        permutation=float(permutation.pvalue),
        exact=exact,
    )


def rounded(differences: np.ndarray, largest: float) -> np.ndarray:
    """Differences of scores without the roundings that tell equal ones apart.

    Args:
      differences: of scores or of means of scores.
      largest: the largest of the scores' absolute values.
    """
    return np.round(differences, _DIGITS - math.ceil(math.log10(largest or 1.0)))


def _epochs(candidate: Mapping[str, Any]) -> int:
    """Of a hyperband trial; 0 where all candidates have the same."""
    return candidate["settings"].get("epochs", 0)


def of_all_epochs(candidates: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Which candidates of a ranking had as many epochs as the longest of their source.

    Of hyperband's the others were scored after fewer, and their scores do not count.
    """
    most: dict[str, int] = {}
    for candidate in candidates:
        source = candidate["source"]
        most[source] = max(most.get(source, 0), _epochs(candidate))
    return [_epochs(candidate) == most[candidate["source"]] for candidate in candidates]


def scores_by_source(
    candidates: Sequence[Mapping[str, Any]], score_mode: str
) -> dict[str, list[float]]:
    """The scores of a ranking's completed candidates by their source, of those that count.

    The source with the best mean comes first, those without a score last; see `of_all_epochs`.
    """
    scores: dict[str, list[float]] = {candidate["source"]: [] for candidate in candidates}
    for candidate, whole in zip(candidates, of_all_epochs(candidates), strict=True):
        if candidate["status"] == "completed" and whole:
            scores[candidate["source"]].append(candidate["score"])
    sign = 1.0 if score_mode == "min" else -1.0

    def place(source: str) -> float:
        values = scores[source]
        return sign * sum(values) / len(values) if values else float("inf")

    return {source: scores[source] for source in sorted(scores, key=place)}
