"""The table and picture of docs/results.md about the hypergradients, from experiments/results/.

  python experiments/estimate_curves.py   # prints the table

What `compare_estimates.py` measured along searches is summed up here and no more: the cosine of
first order and of finite differences with the exact hypergradient, and their relative error, on
some pairs of batches at the end of each epoch.
"""

import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import records

from tf_darts.cli import program
from tf_darts.report.tables import Rows, markdown_table

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECORDS = ROOT / "experiments" / "results" / "estimates"
CURVES = ROOT / "docs" / "images" / "estimates.png"
_ESTIMATES = {
    "first_order": "first order",
    "finite_difference 1": "finite differences, radius 1",
    "finite_difference 0.1": "finite differences, radius 0.1",
    "finite_difference": "finite differences, radius 0.01",
    "finite_difference 0.001": "finite differences, radius 0.001",
}
_SHOWN = 1, 5, 10, 20, 30, 40, 50  # epochs

Search = Mapping[str, Any]


def read(path: pathlib.Path = RECORDS) -> list[Search]:
    """The compared searches, by method and seed."""
    return records.read(path)


def by_method(searches: Sequence[Search]) -> dict[str, list[Search]]:
    """The searches of each method."""
    groups: dict[str, list[Search]] = {}
    for search in searches:
        groups.setdefault(search["method"], []).append(search)
    return groups


def numbers(searches: Sequence[Search], estimate: str, field: str) -> dict[int, np.ndarray]:
    """A field of an estimate at each epoch, on all batches of all searches."""
    found: dict[int, list[float]] = {}
    for epoch in (epoch for search in searches for epoch in search["epochs"]):
        values = [batch[estimate][field] for batch in epoch["batches"] if estimate in batch]
        found.setdefault(epoch["epoch"], []).extend(values)
    return {epoch: np.asarray(values) for epoch, values in found.items() if values}


def table(searches: Sequence[Search]) -> Rows:
    """A row for each estimate along the searches of each method."""
    rows = []
    for method, members in by_method(searches).items():
        for estimate, name in _ESTIMATES.items():
            cosines = numbers(members, estimate, "cosine")
            if not cosines:  # a radius that was not asked for
                continue
            errors = np.concatenate(list(numbers(members, estimate, "error").values()))
            shown = {f"epoch {e}": f"{cosines[e].mean():.3f}" for e in _SHOWN if e in cosines}
            least = min(values.min() for values in cosines.values())
            rows.append(
                {"search by": f"`{method}`", "seeds": str(len(members)), "estimate": name}
                | shown
                | {"least": f"{least:.3f}", "error": f"{np.median(errors):.3f}"}
                | {"nearer": _nearer(members, estimate)}
            )
    return rows


def _nearer(searches: Sequence[Search], estimate: str) -> str:
    """In how many pairs of batches its error is smaller than that of first order."""
    epochs = (epoch for search in searches for epoch in search["epochs"])
    pairs = [batch for epoch in epochs for batch in epoch["batches"] if estimate in batch]
    if estimate == "first_order":
        return ""
    nearer = sum(pair[estimate]["error"] < pair["first_order"]["error"] for pair in pairs)
    return f"{nearer} of {len(pairs)}"


def tables(searches: Sequence[Search]) -> dict[str, Rows]:
    """The table of docs/ by its name."""
    return {"estimates": table(searches)}


def draw(searches: Sequence[Search], path: pathlib.Path = CURVES) -> None:
    """Cosine and relative error over the epochs: the mean, and the range over batches and seeds."""
    from matplotlib.figure import Figure

    groups = by_method(searches)
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    panels = figure.subplots(2, len(groups), sharex=True, sharey="row", squeeze=False)
    for column, (method, members) in zip(panels.T, groups.items(), strict=True):
        column[0].set_title(f"along {method}", fontsize=10)
        column[1].set_xlabel("epoch of the search")
        for panel, field in zip(column, ("cosine", "error"), strict=True):
            for estimate, name in _ESTIMATES.items():
                values = numbers(members, estimate, field)
                epochs = sorted(values)
                if not epochs:
                    continue
                panel.plot(epochs, [values[e].mean() for e in epochs], label=name, linewidth=1.4)
                least, most = ([f(values[e]) for e in epochs] for f in (np.min, np.max))
                panel.fill_between(epochs, least, most, alpha=0.2, linewidth=0)
            panel.grid(alpha=0.3)
    panels[0, 0].set_ylabel("cosine with the exact one")
    panels[1, 0].set_ylabel("relative error")
    panels[0, 0].set_ylim(0.4, 1.01)
    panels[1, 0].set_yscale("log")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main(arguments: list[str]) -> None:
    """Prints the table."""
    del arguments
    print(markdown_table(table(read())))


if __name__ == "__main__":
    program.run(main, "estimate_curves")
