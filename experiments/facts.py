"""What sentences of documents say of the records: the names of `marked_numbers.py`'s expressions.

`names()` has every method of the leaderboard by its own name (`darts_first`, a `Searches`;
`darts_pt+beta_decay` as `darts_pt_beta_decay`), the other records, and a few functions.
"""

import pathlib
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import controls
import estimate_curves
import leaderboard
import records
import shared_weights
import studies

from tf_darts.report.statistics import compare

# Of the estimates in a few steps, by precision.
ROUNDING = estimate_curves.RECORDS.parent / "rounding"

Line = Mapping[str, Any]


class Search:
    """A search in NAS-Bench-201's space; what a cell is worth is the table's, on CIFAR-10."""

    def __init__(self, line: Line) -> None:
        self.cells = {epoch["epoch"]: epoch["cell"] for epoch in line["epochs"]}
        self._worth = {e["epoch"]: e["table"]["cifar10"] for e in line["epochs"]}
        self._monitors = {epoch["epoch"]: epoch["monitors"] for epoch in line["epochs"]}
        self.entropy = line["epochs"][-1]["entropy"]
        self.minutes = line["epochs"][-1]["seconds"] / 60
        self.cell = line["result"]["cell"]
        self.epoch = line["result"]["epoch"]  # of the cell
        self.epochs = len(self.cells)
        self.end = leaderboard.judged(line)["value"]
        self.percentile = leaderboard.judged(line)["percentile"]

    def at(self, epoch: int) -> float:
        """What the cell after an epoch is worth."""
        return self._worth[epoch]

    def least(self, first: int, last: int | None = None) -> float:
        """The least worth from an epoch to another, or to the end."""
        return min(self._between(first, last))

    def most(self, first: int, last: int | None = None) -> float:
        """The same, the most."""
        return max(self._between(first, last))

    def epochs_with(self, worth: float) -> list[int]:
        """The epochs whose cell is worth so much, to two decimals."""
        return [epoch for epoch, found in self._worth.items() if round(found, 2) == worth]

    def since(self) -> int:
        """The epoch from which the cell stays the one of the end."""
        return 1 + max([e for e, cell in self.cells.items() if cell != self.cell], default=0)

    def count(self, operation: str, epoch: int | None = None) -> int:
        """How many edges of the cell have an operation, after an epoch or in the end."""
        return (self.cell if epoch is None else self.cells[epoch]).count(operation)

    def skips(self, epoch: int | None = None) -> int:
        """The same, of skip connections."""
        return self.count("skip_connect", epoch)

    def changes(self) -> int:
        """How many epochs have another cell than the one before."""
        return sum(self.cells[e] != self.cells[e + 1] for e in list(self.cells)[:-1])

    def monitor(self, name: str, epoch: int | None = None) -> float:
        """What a rule measured after an epoch, or after the last."""
        return self._monitors[epoch or self.epochs][name]

    def eigenvalue(self, epoch: int) -> float:
        """The largest one of the second derivative by α."""
        return self.monitor("eigenvalue/largest", epoch)

    def _between(self, first: int, last: int | None) -> list[float]:
        return [v for e, v in self._worth.items() if first <= e <= (last or self.epochs)]


class Searches(list[Search]):
    """The searches of a method, by seed."""

    def ends(self) -> list[float]:
        """What their cells are worth."""
        return [search.end for search in self]

    def at(self, epoch: int) -> list[float]:
        """The same, after an epoch."""
        return [search.at(epoch) for search in self]

    def mean(self) -> float:
        """Of what their cells are worth."""
        return statistics.mean(self.ends())

    def with_end(self, worth: float) -> int:
        """How many end in a cell that is worth so much, to two decimals."""
        return [round(end, 2) for end in self.ends()].count(worth)

    def since(self) -> list[int]:
        """From which epochs they stay with the cell of their end."""
        return [search.since() for search in self]


class Estimates:
    """Pairs of batches on which estimates were compared with the exact gradient by α."""

    def __init__(self, searches: Sequence[Line]) -> None:
        self._searches = searches
        self.searches = len(searches)

    def along(self, method: str, seed: int) -> "Estimates":
        """Those along one search."""
        return Estimates([s for s in self._searches if (s["method"], s["seed"]) == (method, seed)])

    def first(self, radius: str) -> int:
        """The first epoch that has finite differences of a radius."""
        return next(e["epoch"] for e in self._epochs() if self._name(radius) in e["batches"][0])

    def pairs(self, *radii: str) -> list[Line]:
        """Those that have finite differences of all radii."""
        names = [self._name(radius) for radius in radii]
        batches = (batch for epoch in self._epochs() for batch in epoch["batches"])
        return [batch for batch in batches if all(name in batch for name in names)]

    def nearer(self, radius: str) -> int:
        """In how many pairs finite differences are nearer than first order."""
        name = self._name(radius)
        return sum(p[name]["error"] < p["first_order"]["error"] for p in self.pairs(radius))

    def error(self, radius: str, *having: str) -> float:
        """The median relative error, on the pairs that have other radii too."""
        return statistics.median(
            p[self._name(radius)]["error"] for p in self.pairs(radius, *having)
        )

    def _epochs(self) -> Iterator[Line]:
        return (epoch for search in self._searches for epoch in search["epochs"])

    @staticmethod
    def _name(radius: str) -> str:
        return "finite_difference" + ("" if radius == "0.01" else f" {radius}")


class Control:
    """Searches of one row of the tables of controls and guards."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines
        self.entropies = [line["epochs"][-1]["entropy"] for line in lines]

    def rights(self) -> list[int]:
        """Edges of each search that are right."""
        return [line["result"]["found"]["right"] for line in self._lines]

    def right(self) -> int:
        """Those of all searches."""
        return sum(self.rights())

    def edges(self) -> int:
        """Of so many."""
        return sum(line["result"]["found"]["edges"] for line in self._lines)

    def wrong(self) -> list[int]:
        """Edges of each search that are wrong."""
        return [controls.wrong(line)[0] for line in self._lines]


def control(space: str, words: str) -> Control:
    """The searches of a space whose flags are these words, as "method=darts permute_labels"."""
    rows = {
        " ".join(controls.words(own)).replace("--", ""): lines
        for _, own, lines in controls.groups([space])
    }
    return Control(rows[words])


class Candidates:
    """The candidates of a study, by source."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines

    def of(self, source: str, field: str = "score") -> list[float]:
        """A field of all candidates of a source, by seed."""
        return [line[field] for line in self._lines if line["source"] == source]

    def measured(self, source: str, epoch: int, field: str) -> list[float]:
        """What the searches of a source measured in an epoch, -1 for the last."""
        lines = (line for line in self._lines if line["source"] == source)
        return [line["epochs"][epoch][field] for line in lines]

    def rank_correlation(self, field: str) -> float:
        """Spearman's, of a field with the scores."""
        pairs = [(line[field], line["score"]) for line in self._lines]
        return shared_weights.rank_correlation(*zip(*pairs, strict=True))


class Trained:
    """A training that was tested once."""

    def __init__(self, line: Line) -> None:
        self.validation, self.test = line["validation"], line["test"]
        self.weights, self.minutes = line["counts"]["weights"], line["seconds"] / 60


def trained(name: str, channels: int) -> Trained:
    """The tested training of a candidate at so many channels."""
    lines = studies.read(studies.TESTED)
    (line,) = [x for x in lines if (x["name"], x["settings"]["channels"]) == (name, channels)]
    return Trained(line)


def paired_p(own: Sequence[float], other: Sequence[float]) -> float:
    """The p of the mean difference of pairs, by all changes of signs."""
    return leaderboard.paired_p(np.asarray(own), np.asarray(other))


def permutation_p(own: Sequence[float], other: Sequence[float]) -> float:
    """The p of the difference of means of two groups, by all ways to share the scores out."""
    return compare(own, other).permutation


def at_least(right: int, edges: int, chance: float = 0.5) -> float:
    """How probable so many or more of so many are by chance."""
    return float(stats.binom.sf(right - 1, edges, chance))


def names() -> dict[str, Any]:
    """What an expression may speak of."""
    groups = leaderboard.by_method(leaderboard.read())
    searches = {
        name.replace("+", "_"): Searches(map(Search, lines)) for name, lines in groups.items()
    }
    first = next(iter(groups.values()))[0]
    references = first["result"]["references"]
    methods = leaderboard.published_scores(leaderboard.METHODS.read_text())
    functions: Sequence[Callable[..., Any]] = (
        *(min, max, round, len, sum, sorted, abs, zip),
        *(control, trained, paired_p, permutation_p, at_least),
    )
    return {
        **searches,
        **{function.__name__: function for function in functions},
        "mean": statistics.mean,
        "searches": searches,
        "reference": {name: scores["cifar10"] for name, scores in references.items()},
        "published": methods,
        "estimates": Estimates(estimate_curves.read()),
        "rounding": {path.stem: Estimates(records.read(path)) for path in ROUNDING.glob("*.jsonl")},
        "shared": {line["settings"]["method"]: Search(line) for line in shared_weights.read()},
        "texts": Candidates(studies.read(studies.STUDIES["texts"].lines)),
        "images": Candidates(studies.read(studies.STUDIES["images"].lines)),
        "tuners": records.read(leaderboard.RECORDS.parent / "tuners.jsonl"),
    }
