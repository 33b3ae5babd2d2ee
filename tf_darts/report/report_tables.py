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
    example, values = group.entries[0], group.values
    tests = [entry.test for entry in group.entries if entry.test is not None]
    summary = summarise(values, example.score_mode) if values else None
    tested = str(summarise(tests, example.score_mode)) if tests else ""
    if 0 < len(tests) < len(group.entries):
        tested += f" (n = {len(tests)})"
    return {
        "cells": group.label,
        "n": str(len(group.entries)),
        example.score_name: str(summary or ""),
        "best": f"{summary.best:.2f}" if summary else "",
        f"test {example.score}": tested,
        "weights": _range([entry.counts.get("weights") for entry in group.entries]),
        "multiply-adds": _range([multiply_adds(entry.counts) for entry in group.entries]),
        "search (device-hours)": _hours([entry.search_seconds for entry in group.entries]),
        "training (device-hours)": _hours([entry.training_seconds for entry in group.entries]),
    }


def _range(counts: Sequence[int | None]) -> str:
    measured = [count for count in counts if count is not None]
    if not measured:
        return ""
    ends = dict.fromkeys((short_number(min(measured)), short_number(max(measured))))
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
    rows, incomparable = [], []
    for group in groups:
        if group.method == reference:
            continue
        others = reference_values(group, groups, reference)
        compared = compare(group.values, others)
        if compared is None:
            incomparable.append(f"{group.label} (n = {len(group.values)})")
            continue
        columns = comparison_columns(compared, reference)
        n = f"{len(group.values)} and {len(others)}"
        rows.append({"cells": group.label, "n": n} | columns)
    sentence = ""
    if incomparable:
        sentence = (
            f"Not compared, for want of two scores or of two of `{reference}` with the same"
            f" training settings: {', '.join(incomparable)}."
        )
    return rows, sentence


def reference_values(group: Group, groups: Sequence[Group], reference: str) -> Sequence[float]:
    """The reference's scores that were trained as this group's were; none if there are none.

    The same data and settings, that is.

    Where cells of the reference were trained with several seeds, so that each is a group, they are
    the means of these: a cell counts once, and none is left out.
    """
    example = group.entries[0]
    alike = [
        candidate
        for candidate in groups
        if candidate.method == reference
        and candidate.entries[0].data.digest == example.data.digest
        and candidate.entries[0].training_settings == example.training_settings
        and candidate.values
    ]
    if len(alike) == 1:
        return alike[0].values
    return [statistics.fmean(candidate.values) for candidate in alike]


def ranking_of(
    groups: Sequence[Group], failed: Sequence[Entry], short: Sequence[Entry] = ()
) -> dict[str, Any]:
    """All entries as a ranking (`ranking.py`), their groups as its sources.

    Args:
      groups: those whose scores count, which come first.
      failed: candidates without a score, which come last.
      short: trials of fewer epochs, of the source that the longest ones of their study are.
    """
    labels = {entry.name: group.label for group in groups for entry in group.entries}
    of_study = {
        (_study(entry), group.method): group.label for group in groups for entry in group.entries
    }
    labels |= {e.name: of_study.get((_study(e), e.method), e.method) for e in short}
    everything = [*(entry for group in groups for entry in group.entries), *short]
    example = next(iter([*everything, *failed]))
    scored = [entry for entry in everything if entry.value is not None]
    sign = 1.0 if example.score_mode == "min" else -1.0
    scored.sort(key=lambda entry: (entry.short, sign * entry.value))
    return {
        "score": example.score,
        "score_mode": example.score_mode,
        "dataset": example.dataset,
        "candidates": [
            *(entry.candidate(labels[entry.name]) for entry in scored),
            *(entry.candidate(entry.method) for entry in failed),
        ],
    }


def _study(entry: Entry) -> str:
    """The study of a candidate's entry."""
    return entry.name.rpartition("/")[0]
