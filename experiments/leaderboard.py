"""The leaderboard of docs/results.md and README.md, its picture, and our column of docs/methods.md.

  python experiments/leaderboard.py   # prints the tables

Nothing is computed here but means, deviations and tests over runs: what a run's cell is worth in
the table of NAS-Bench-201 stands in its line, as the search's own `table.json` said it.
"""

import itertools
import pathlib
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import records

from tf_darts.benchmarks.null_distribution import by_mean_percentile
from tf_darts.cli import program
from tf_darts.report.statistics import rounded, summarise
from tf_darts.report.tables import Rows, markdown_table

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECORDS = ROOT / "experiments" / "results" / "nasbench201"
METHODS = ROOT / "docs" / "methods.md"
CURVES = ROOT / "docs" / "images" / "leaderboard_curves.png"
_COLUMNS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16_120": "ImageNet16-120"}
_REFERENCE = "darts_first"
# What a panel shows of cells; DrNAS begins with some that are worth less.
_LIMITS = {"cifar10": (72, 95.5), "skips": (-0.4, 6.4)}
_SHOWN = 5, 10, 20, 30, 40  # epochs, before the last

Run = Mapping[str, Any]


def read(path: pathlib.Path = RECORDS) -> list[Run]:
    """The recorded runs, by method and seed."""
    return records.read(path)


def by_method(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The runs of each method, the best first by the mean percentile of their cells."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run["method"], []).append(run)
    return dict(sorted(groups.items(), key=lambda item: -np.mean(_numbers(item[1], "percentile"))))


def judged(run: Run, column: str = "cifar10") -> Mapping[str, float]:
    """What the table says of a run's cell."""
    return next(score for score in run["result"]["scores"] if score["score"] == column)


def _numbers(runs: Sequence[Run], field: str, column: str = "cifar10") -> list[float]:
    return [judged(run, column)[field] for run in runs]


def _paired(runs: Sequence[Run], reference: Sequence[Run]) -> str:
    """The p of the mean difference of scores of the same seeds, by all changes of their signs.

    With n seeds it is at least 2/2ⁿ.
    """
    scores = {run["seed"]: judged(run)["value"] for run in reference}
    pairs = [(judged(run)["value"], scores[run["seed"]]) for run in runs if run["seed"] in scores]
    if len(pairs) < 2 or runs is reference:
        return ""
    own, other = map(np.asarray, zip(*pairs, strict=True))
    if np.all(own == other):
        return "1"
    return f"{paired_p(own, other):.2g} ({len(pairs)})"


def paired_p(own: np.ndarray, other: np.ndarray) -> float:
    """The p of the mean difference of pairs, by all changes of signs."""
    largest = float(max(np.abs(own).max(), np.abs(other).max()))

    def difference(own: np.ndarray, other: np.ndarray, axis: int) -> np.ndarray:
        return rounded(np.mean(own - other, axis=axis), largest)

    return stats.permutation_test((own, other), difference, permutation_type="samples").pvalue


def leaderboard(runs: Sequence[Run]) -> Rows:
    """A row for each method, and one for a random cell."""
    groups = by_method(runs)
    reference, rows = groups.get(_REFERENCE, []), []
    for method, members in groups.items():
        row = {"method": f"`{method}`", "seeds": str(len(members))}
        for column, name in _COLUMNS.items():
            row[name] = str(summarise(_numbers(members, "value", column), "max"))
        row |= {
            "percentile": f"{np.mean(_numbers(members, 'percentile')):.1f}",
            "p, random cells": f"{by_mean_percentile(_numbers(members, 'p')):.2g}",
            f"p, `{_REFERENCE}`": _paired(members, reference),
            "skips": f"{np.mean([_skips(run['result']['cell']) for run in members]):.1f}",
            "steps": f"{np.mean([run['epochs'][-1]['step'] for run in members]):,.0f}",
            "minutes": f"{np.mean([run['epochs'][-1]['seconds'] for run in members]) / 60:.0f}",
        }
        rows.append(row)
    for name in ("random", "best of 10 random", "all_3x3", "optimum"):
        scores = runs[0]["result"]["references"].get(name)
        if scores:
            rows.append({"method": name} | {_COLUMNS[c]: f"{scores[c]:.2f}" for c in _COLUMNS})
    return rows


def _skips(cell: str) -> int:
    return cell.count("skip_connect")


def _readable(run: Run) -> list[Mapping[str, Any]]:
    """The epochs whose cell says something: where α never moves, the last one, if it is derived."""
    frozen = "frozen_alphas" in run["settings"].get("rules", "").split(",")
    return run["epochs"][-1:] if frozen else run["epochs"]


def every_run(runs: Sequence[Run]) -> Rows:
    """A row for each run: what its cell was worth on the way, and at the end."""
    rows = []
    for run in itertools.chain.from_iterable(by_method(runs).values()):
        scores = {epoch["epoch"]: epoch["table"]["cifar10"] for epoch in _readable(run)}
        end = judged(run)
        rows.append(
            {
                "method": f"`{run['method']}`",
                "seed": str(run["seed"]),
                **{f"epoch {e}": f"{scores[e]:.2f}" if e in scores else "" for e in _SHOWN},
                "end": f"{end['value']:.2f}",
                "percentile": f"{end['percentile']:.1f}",
                "cell": f"`{run['result']['cell']}`",
            }
        )
    return rows


def _published(methods: str) -> dict[str, str]:
    """The scores that docs/methods.md's table of all methods has as published, as it has them."""
    found, (_, table, _) = {}, _table_of_methods(methods)
    for line in re.findall(r"^\| `\w+` \|.*\|$", table, flags=re.MULTILINE):
        method, *_, theirs, _ = (cell.strip(" `") for cell in line.strip("|").split("|"))
        if theirs:
            found[method] = theirs
    return found


def published_scores(methods: str) -> dict[str, float]:
    """The same as numbers, without their deviations."""
    return {method: float(theirs.split()[0]) for method, theirs in _published(methods).items()}


def published(methods: str, runs: Sequence[Run]) -> Rows:
    """A row for each method of which a score is published, the worst beside that last.

    Args:
      methods: docs/methods.md, whose table of all methods has what is published.
      runs: ours.
    """
    groups, found = by_method(runs), []
    for method, theirs in _published(methods).items():
        if method in groups:
            ours = _numbers(groups[method], "value")
            found.append((np.mean(ours) - float(theirs.split()[0]), method, theirs, ours))
    return [
        {
            "method": f"`{method}`",
            "published": theirs,
            "here, small": f"{summarise(ours, 'max')} ({len(ours)})",
            "difference": f"{difference:+.2f}",
        }
        for difference, method, theirs, ours in sorted(found, reverse=True)
    ]


def tables(runs: Sequence[Run]) -> dict[str, Rows]:
    """The tables of docs/ by name."""
    return {
        "leaderboard": leaderboard(runs),
        "runs": every_run(runs),
        "published": published(METHODS.read_text(), runs),
        "short leaderboard": short(runs),
    }


def short(runs: Sequence[Run]) -> Rows:
    """A few columns of the leaderboard, as README.md has it."""
    names = "method", "seeds", "CIFAR-10", "percentile", "p, random cells"
    return [{name: row[name] for name in names if name in row} for row in leaderboard(runs)]


def methods(text: str, runs: Sequence[Run]) -> str:
    """The table of all methods with its last column, what the recorded searches found, made anew.

    Compositions that are no method of their own have no row there.
    """
    found = {
        name: f"{summarise(_numbers(members, 'value'), 'max')} ({len(members)})"
        for name, members in by_method(runs).items()
    }

    def row(match: re.Match[str]) -> str:
        return f"{match[1]}{found.get(match[2], '')} |"

    before, table, after = _table_of_methods(text)
    filled = re.sub(r"^(\| `(\w+)` \|.*\| )[^|]*\|$", row, table, flags=re.MULTILINE)
    return before + filled + after


def _table_of_methods(text: str) -> tuple[str, str, str]:
    """What docs/methods.md has before its table of all methods, that table, and what is after."""
    before, begin, rest = text.partition("## All methods\n")
    table, end, after = rest.partition("\n\n*Cost*")
    return before + begin, table, end + after


def draw(runs: Sequence[Run], path: pathlib.Path = CURVES) -> None:
    """Looked-up accuracy, skips and, where measured, λ over the epochs.

    Methods stand side by side, in each a line for each seed; dotted is what a random cell is worth.
    λ is dashed, with numbers of its own on the right of the skips.
    """
    from matplotlib.figure import Figure

    names = {"cifar10": "CIFAR-10, %", "skips": "skips"}
    groups, columns = list(by_method(runs).items()), 4
    blocks = -(-len(groups) // columns)
    figure = Figure(figsize=(11, 3.0 * blocks), layout="constrained")
    rows = blocks * len(names)
    heights = [2.2, 1.0] * blocks
    panels = figure.subplots(
        rows, columns, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    random = runs[0]["result"]["references"]["random"]["cifar10"]
    for place in range(blocks * columns):
        method, members = groups[place] if place < len(groups) else ("", [])
        members = sorted(members, key=lambda run: run["seed"])
        own = panels[place // columns * len(names) :, place % columns]
        # Below the last methods nothing may stand that has the numbers of the epochs.
        own[len(names) - 1].tick_params(labelbottom=place + columns >= len(groups))
        for panel, name in zip(own, names, strict=False):
            panel.set_visible(bool(members))
            panel.grid(alpha=0.3)
            panel.set_ylim(_LIMITS.get(name))
            panel.tick_params(labelsize=8)
            if name == "skips":
                panel.set_yticks([0, 2, 4, 6])
            if name == "cifar10":
                panel.set_title(method, fontsize=10)
                panel.axhline(random, color="grey", linestyle=":", linewidth=1)
            if place % columns == 0:
                panel.set_ylabel(names[name], fontsize=8)
            for number, run in enumerate(members):
                line = _line(run, name)
                style = {"color": f"C{number}", "label": f"seed {run['seed']}"}
                marker = "o" if len(line) == 1 else None
                panel.plot(*zip(*line, strict=True), **style, linewidth=1.2, marker=marker)
        eigenvalues = {n: line for n, run in enumerate(members) if (line := _line(run, "λ"))}
        if eigenvalues:
            beside = own[1].twinx()
            beside.set_ylabel("λ, dashed", fontsize=8)
            beside.tick_params(labelsize=8)
            for number, line in eigenvalues.items():
                beside.plot(*zip(*line, strict=True), f"C{number}--", linewidth=1.2)
            beside.set_ylim(0.0, None)
    named = [panel.get_legend_handles_labels() for panel in panels.flat]
    figure.legend(
        *max(named, key=lambda pair: len(pair[1])),
        loc="outside upper center",
        ncols=8,
        frameon=False,
        fontsize=9,
    )
    figure.supxlabel("epoch of the search", fontsize=9)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _line(run: Run, name: str) -> list[tuple[int, float]]:
    def value(epoch: Mapping[str, Any]) -> float | None:
        if name == "cifar10":
            return epoch["table"]["cifar10"]
        if name == "skips":
            return _skips(epoch["cell"])
        return epoch["monitors"].get("eigenvalue/largest")

    points = [(epoch["epoch"], value(epoch)) for epoch in _readable(run)]
    return [(epoch, number) for epoch, number in points if number is not None]


def main(arguments: list[str]) -> None:
    """Prints the tables."""
    del arguments
    runs = read()
    print(markdown_table(leaderboard(runs)), markdown_table(every_run(runs)), sep="\n")


if __name__ == "__main__":
    program.run(main, "leaderboard")
