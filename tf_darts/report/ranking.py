"""The candidates of a study, best first: as JSON, CSV, Markdown, a plot and a few lines of text.

A ranking is the content of `ranking.json`:

    {"score": "perplexity", "score_mode": "min", "dataset": "ptb", "candidates": [
       {"name", "source", "seed", "status": "completed"|"failed", "reason", "score", "cell",
        "genotype", "space", "counts", "search_seconds", "training_seconds", "settings",
        "snapshots"}, …]}

with the best candidate first, and those that failed, which have no score, last. Where cells were
looked up in a table (`--table`), it has "table" too (`table_judgement.py`), and each candidate its
scores there under the same name.
"""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from tf_darts.report.page.document import PAGE
from tf_darts.report.page.side_by_side import write_study_page
from tf_darts.report.plots import save_figure
from tf_darts.report.ranking_plot import ranking_plot
from tf_darts.report.statistics import GIVEN, Comparison, compare, scores_by_source, summarise
from tf_darts.report.table_judgement import ranking_document, ranking_text
from tf_darts.report.tables import csv_table, markdown_table, plain_table, short_number
from tf_darts.report.write_warnings import WriteWarnings
from tf_darts.runtime.files import write_atomically

REFERENCE = "random"  # the source that the others are compared with

Candidate = Mapping[str, Any]


def write_ranking(directory: pathlib.Path, ranking: dict, warnings: WriteWarnings) -> None:
    """Writes a study's `ranking.json`, `.csv`, `.md`, `plots/ranking.png` and `report.html`.

    Each file is replaced as a whole.

    Args:
      directory: the study's.
      ranking: as above.
      warnings: tell where the page or the picture cannot be written.

    Raises:
      StorageError: one of the others cannot be written.
    """
    write_atomically(directory / "ranking.json", json.dumps(ranking, indent=2) + "\n")
    write_atomically(directory / "ranking.csv", csv_table(_records(ranking)))
    write_atomically(directory / "ranking.md", _document(ranking))
    with warnings.writing(directory / PAGE):
        write_study_page(directory, ranking)
    picture = directory / "plots" / "ranking.png"
    with warnings.writing(picture):
        picture.parent.mkdir(exist_ok=True)
        save_figure(ranking_plot(ranking), picture)


def ranking_summary(ranking: dict) -> str:
    """A few lines for the terminal: the candidates by source, beside random ones where there are.

    A source has its scores' mean ± standard deviation (of n - 1), their number, its failures and,
    if both it and the random cells have two scores or more, the p values of their difference.
    """
    rows = summary_rows(ranking)
    if not rows:
        return "No candidates."
    judged = ranking.get("table")
    return plain_table(rows) + (ranking_text(judged) if judged else "")


def ranking_table(ranking: dict) -> str:
    """The candidates as a Markdown table: score, size and cost, or why they failed."""
    return markdown_table([_row(place, c) for place, c in _places(ranking)])


def summary_rows(ranking: dict) -> list[dict[str, str]]:
    """The rows of `ranking_summary`: one for each source, the best mean first."""
    candidates, mode = ranking["candidates"], ranking["score_mode"]
    scores = scores_by_source(candidates, mode)
    rows = []
    for source in scores:
        failed = sum(c["source"] == source and c["status"] == "failed" for c in candidates)
        row = {"source": source, ranking["score"]: "", "n": str(len(scores[source]))}
        if scores[source]:
            summary = summarise(scores[source], mode)
            row |= {ranking["score"]: str(summary), "best": f"{summary.best:.2f}"}
        row["failed"] = str(failed) if failed else ""
        if source not in (REFERENCE, GIVEN):
            compared = compare(scores[source], scores.get(REFERENCE, []))
            row |= comparison_columns(compared, REFERENCE)
        rows.append(row)
    return rows


def comparison_columns(compared: Comparison | None, reference: str) -> dict[str, str]:
    """Difference and p values as columns of a table; none where nothing was compared."""
    if compared is None:
        return {}
    welch = "–" if compared.welch is None else f"{compared.welch:.3f}"
    permutation = f"{compared.permutation:.3f}" + ("" if compared.exact else " (drawn)")
    return {
        f"difference from {reference}": f"{compared.difference:+.2f}",
        "p (Welch)": welch,
        "p (permutation)": permutation,
    }


def multiply_adds(counts: Mapping[str, int]) -> int | None:
    """The multiply-adds among a network's counts, of whatever they are."""
    operation_counts = [count for name, count in counts.items() if name.startswith("multiply-adds")]
    return operation_counts[0] if operation_counts else None


def _places(ranking: dict) -> list[tuple[str, Candidate]]:
    """The candidates with their places; a failed one has none."""
    return [
        (str(i + 1) if candidate["status"] == "completed" else "", candidate)
        for i, candidate in enumerate(ranking["candidates"])
    ]


def _row(place: str, candidate: Candidate) -> dict[str, str]:
    completed = candidate["status"] == "completed"
    counts = candidate["counts"] or {}
    return {
        "place": place or "failed",
        "candidate": candidate["name"],
        "source": candidate["source"],
        "seed": "" if candidate["seed"] is None else str(candidate["seed"]),
        "score": f"{candidate['score']:.2f}" if completed else "",
        "weights": short_number(counts.get("weights")),
        "multiply-adds": short_number(multiply_adds(counts)),
        "search (s)": _seconds(candidate["search_seconds"]),
        "training (s)": _seconds(candidate["training_seconds"]),
        "settings": ", ".join(f"{k}={v}" for k, v in candidate["settings"].items()),
        "cell": f"`{candidate['cell']}`" if candidate["cell"] else "",
        "reason": candidate["reason"],
    }


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.0f}"


def _records(ranking: dict) -> list[dict[str, Any]]:
    """The candidates as flat records for CSV, numbers as they are."""
    plain = ("name", "source", "seed", "status", "score", "search_seconds", "training_seconds")
    return [
        {"place": place}
        | {name: candidate[name] for name in plain}
        | dict(candidate["counts"] or {})
        | {f"table.{name}": value for name, value in candidate.get("table", {}).items()}
        | candidate["settings"]
        | {"cell": candidate["cell"], "reason": candidate["reason"]}
        for place, candidate in _places(ranking)
    ]


def _document(ranking: dict) -> str:
    better = {"min": "lower", "max": "higher"}[ranking["score_mode"]]
    judged = ranking.get("table")
    stopped_early = any("epochs" in candidate["settings"] for candidate in ranking["candidates"])
    of_all_epochs = (
        " Trials of fewer epochs than the longest do not count." if stopped_early else ""
    )
    score = f"Validation {ranking['score']} after training from scratch"
    if judged:
        score = f"{ranking['score'].capitalize()} in a table, its column {judged['score']}"
    return (
        f"# Candidates on {ranking['dataset']}\n\n"
        f"{score}; {better} is better.\n\n"
        f"{markdown_table(summary_rows(ranking))}\n"
        "Mean ± standard deviation (of n - 1). p values are two-sided: Welch's t-test, and the\n"
        f"permutation test of the same difference.{of_all_epochs}\n\n"
        f"![candidates](plots/ranking.png)\n\n{ranking_table(ranking)}"
        f"{ranking_document(judged) if judged else ''}"
    )
