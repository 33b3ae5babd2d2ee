"""The tables of a report: the paper's rows, comparisons with a reference, all candidates."""

import statistics
from collections.abc import Sequence
from typing import Any

from tf_darts.report.entries import Entry, Group
from tf_darts.report.ranking import comparison_columns, multiply_adds
from tf_darts.report.statistics import compare, summarise
from tf_darts.report.tables import short_number


def paper_rows(groups: Sequence[Group]) -> list[dict[str, str]]:
    """A row for each group: score over seeds, test score, size, and cost in device-hours."""
    return [_paper_row(group) for group in groups]


def _paper_row(group: Group) -> dict[str, str]:
    first, values = group.entries[0], group.values
    tests = [entry.test for entry in group.entries if entry.test is not None]
    summary = summarise(values, first.score_mode) if values else None
    tested = str(summarise(tests, first.score_mode)) if tests else ""
    if 0 < len(tests) < len(group.entries):
        tested += f" (n = {len(tests)})"
    return {
        "cells": group.label,
        "n": str(len(group.entries)),
        f"validation {first.score}": str(summary or ""),
        "best": f"{summary.best:.2f}" if summary else "",
        f"test {first.score}": tested,
        "weights": _range([entry.counts.get("weights") for entry in group.entries]),
        "multiply-adds": _range([multiply_adds(entry.counts) for entry in group.entries]),
        "search (device-hours)": _hours([entry.search_seconds for entry in group.entries]),
        "training (device-hours)": _hours([entry.training_seconds for entry in group.entries]),
    }


def _range(counts: Sequence[int | None]) -> str:
    known = [count for count in counts if count is not None]
    if not known:
        return ""
    ends = dict.fromkeys((short_number(min(known)), short_number(max(known))))
    return "–".join(ends)


def _hours(seconds: Sequence[float | None]) -> str:
    """The mean in hours; nothing where one of them is not known."""
    if None in seconds:
        return ""
    return f"{statistics.fmean(seconds) / 3600:.3g}"


def comparison_rows(groups: Sequence[Group], reference: str) -> tuple[list[dict[str, str]], str]:
    """A row for each group that compares with the reference's of the same training settings.

    Returns:
      The rows, and a sentence about the groups that do not compare; "" where all do.
    """
    rows, left_out = [], []
    for group in groups:
        if group.method == reference:
            continue
        other = reference_of(group, groups, reference)
        compared = compare(group.values, other.values) if other else None
        if compared is None:
            left_out.append(f"{group.label} (n = {len(group.values)})")
            continue
        columns = comparison_columns(compared, reference)
        n = f"{len(group.values)} and {len(other.values)}"
        rows.append({"cells": group.label, "n": n} | columns)
    sentence = ""
    if left_out:
        sentence = (
            f"Not compared, for want of two scores or of two of `{reference}` with the same"
            f" training settings: {', '.join(left_out)}."
        )
    return rows, sentence


def reference_of(group: Group, groups: Sequence[Group], reference: str) -> Group | None:
    """The reference's group that was trained as this one was; None if there is none."""
    settings = group.entries[0].training_settings
    for other in groups:
        if other.method == reference and other.entries[0].training_settings == settings:
            return other
    return None


def ranking_of(groups: Sequence[Group], failed: Sequence[Entry]) -> dict[str, Any]:
    """All entries as a ranking (`ranking.py`), their groups as its sources."""
    labels = {entry.name: group.label for group in groups for entry in group.entries}
    scored = [entry for group in groups for entry in group.entries if entry.value is not None]
    first = next(iter([*(entry for one in groups for entry in one.entries), *failed]))
    scored.sort(key=lambda entry: entry.value, reverse=first.score_mode == "max")
    return {
        "score": first.score,
        "score_mode": first.score_mode,
        "dataset": first.dataset,
        "candidates": [
            *(entry.candidate(labels[entry.name]) for entry in scored),
            *(entry.candidate(entry.method) for entry in failed),
        ],
    }
