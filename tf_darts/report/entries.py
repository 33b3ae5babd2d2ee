"""What a report is about: scored cells, and the groups of them that differ by the seed alone."""

import collections
import dataclasses
import json
import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tf_darts.cells.answers import AnswerMatch
from tf_darts.cells.genotype import Genotype
from tf_darts.cells.published import published_cells
from tf_darts.report.learnt_data import UNKNOWN, LearntData, differ
from tf_darts.report.statistics import GIVEN

# How an entry came by its score; scores that were taken in different ways do not compare.
TRAINED = "Cells trained from scratch"
LOOKED_UP = "Cells looked up in a table of trained ones"
SUPERNET = "Searches: the supernet's own score, with shared weights"
SEARCH_PREFIX = "search."  # of the settings of the search that found a trained cell


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """A cell and how it was found and scored.

    Attributes:
      name: of its run directory, or study/candidate.
      scored_by: `TRAINED`, `LOOKED_UP` or `SUPERNET`.
      dataset, score, score_mode: what `value` is: the score's name, and "min" or "max".
      method: what found the cell: a kind of search, "random", a published cell's name, …
      data: what was learnt from; `UNKNOWN` where the score does not depend on it.
      cell_id: what names the cell: entries that share it are trainings of the same cell.
      cell_label: the same for people, such as the file of the cell; "" where `cell_id` is fit.
      seed: of the training, or of the search that was not trained; None where there is none.
      search_seed: of the search that found the cell, or of the draw; None where it is not known.
      value: the validation score; None without validation or of a failed candidate.
      short: whether it is a trial of fewer epochs than the longest of its study, whose score
        does not count.
      reason: why a candidate failed; "" of all others.
      cell: None of a failed candidate.
      counts: how large the network is, by what is counted; {} where it is not known.
      search_seconds, training_seconds: of all devices together; None where it is not known.
      test: the test score, where it was taken.
      settings: all but the seed; those of the search have `SEARCH_PREFIX` where the cell was
        trained from scratch.
      tuned: those of them that a tuner chose.
      snapshots: {"epoch", "search_seconds", "score"} of cells that the search held on its way.
      history: the records of the epochs, for curves.
      animation: the search's `cell.gif`; None without one.
      answer: how much of the right answer the cell has, where the search said so.
    """

    name: str
    scored_by: str
    dataset: str
    score: str
    score_mode: str
    method: str
    cell_id: str
    seed: int | None
    value: float | None
    reason: str = ""
    cell: Genotype | None
    counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    search_seconds: float | None
    training_seconds: float | None
    test: float | None = None
    settings: Mapping[str, Any]
    tuned: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    snapshots: Sequence[Mapping[str, Any]] = ()
    history: Sequence[Mapping[str, Any]] = ()
    animation: pathlib.Path | None = None
    data: LearntData = UNKNOWN
    cell_label: str = ""
    search_seed: int | None = None
    short: bool = False
    answer: AnswerMatch | None = None

    @property
    def score_name(self) -> str:
        """What `value` is, in words."""
        return f"{'table' if self.scored_by == LOOKED_UP else 'validation'} {self.score}"

    def candidate(self, label: str) -> dict[str, Any]:
        """The entry as a candidate of a ranking (`ranking.py`), whose source is `label`."""
        return {
            "name": self.name,
            "source": label,
            "seed": self.seed,
            "status": "failed" if self.reason else "completed",
            "reason": self.reason,
            "score": self.value,
            "cell": str(self.cell or ""),
            "counts": self.counts,
            "search_seconds": self.search_seconds,
            "training_seconds": self.training_seconds,
            "settings": self.tuned,
        }

    @property
    def training_settings(self) -> dict[str, Any]:
        """The settings by which the score was taken: entries that share them compare."""
        return {k: v for k, v in self.settings.items() if not k.startswith(SEARCH_PREFIX)}


class Group(NamedTuple):
    """Entries that share all but the seed.

    Attributes:
      label: the method and, where that is not unique, the settings that tell groups apart.
      entries: at least one, none of which failed.
    """

    label: str
    entries: tuple[Entry, ...]

    @property
    def method(self) -> str:
        """What found the cells."""
        return self.entries[0].method

    @property
    def values(self) -> list[float]:
        """The validation scores there are."""
        return [entry.value for entry in self.entries if entry.value is not None]


def distinct(entries: Sequence[Entry]) -> tuple[list[Entry], list[tuple[Entry, Entry]]]:
    """The entries without those that repeat another's seeds, cell, method, data and settings.

    Searches of several seeds may find one cell: its trainings are results of each.

    Returns:
      The entries that stay, and (repeated, first) pairs of the others.
    """
    unique: dict[Any, Entry] = {}
    repeated = []
    for entry in entries:
        how = (entry.scored_by, entry.method, _frozen(entry.settings), entry.data.digest)
        key = (*how, entry.seed, entry.search_seed, str(entry.cell))
        if entry.reason or entry.seed is None or key not in unique:
            unique[entry.name if entry.reason or entry.seed is None else key] = entry
        else:
            repeated.append((entry, unique[key]))
    return list(unique.values()), repeated


def independent_draws(entries: Sequence[Entry]) -> list[Genotype]:
    """The cells of a group, each once, if all are what seeds led to; else none.

    A tuner's trials are not, nor are cells that were given, by name or as a file. A cell that was
    trained several times is one draw.
    """
    cells = {entry.cell_id: entry.cell for entry in entries if entry.cell is not None}
    known = {name for cell in cells.values() for name in published_cells(cell.space)} | {GIVEN}
    drawn = all(entry.seed is not None and entry.method not in known for entry in entries)
    return list(cells.values()) if drawn else []


def by_data(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The entries of each data set apart, in the order of the first of each.

    All together where nothing shows that they are of several, so that other divisions of one data
    set stand side by side.
    """
    if not differ(entry.data for entry in entries):
        return [list(entries)]
    parts: dict[str, list[Entry]] = collections.defaultdict(list)
    for entry in entries:
        parts[entry.data.digest].append(entry)
    return list(parts.values())


def group(entries: Sequence[Entry]) -> list[Group]:
    """The groups of the entries that did not fail and are not `short`, the best mean first.

    Where a cell was trained with several seeds, its trainings are a group of their own: other
    cells of the same method would be counted several times.
    """
    alike: dict[Any, list[Entry]] = collections.defaultdict(list)
    for entry in entries:
        if not (entry.reason or entry.short):
            alike[entry.method, _frozen(entry.settings), entry.data.digest].append(entry)
    groups = []
    for members in alike.values():
        cells = collections.Counter(entry.cell_id for entry in members)
        if len(cells) > 1 and max(cells.values()) > 1:
            for cell_id in cells:
                chosen = tuple(entry for entry in members if entry.cell_id == cell_id)
                cell_label = chosen[0].cell_label or cell_id
                groups.append(Group(f"{chosen[0].method} ({cell_label})", chosen))
        else:
            groups.append(Group(members[0].method, tuple(members)))
    labelled = [Group(_label(entry_group, groups), entry_group.entries) for entry_group in groups]
    return sorted(labelled, key=_place)


def _place(entry_group: Group) -> float:
    """The best mean comes first, groups without a score last."""
    sign = 1.0 if entry_group.entries[0].score_mode == "min" else -1.0
    return sign * statistics.fmean(entry_group.values) if entry_group.values else float("inf")


def differing(entries: Sequence[Entry]) -> list[str]:
    """The settings that are not the same in all entries that have them, by name."""
    names = sorted({name for entry in entries for name in entry.settings})
    values = {
        name: {_text(entry.settings[name]) for entry in entries if name in entry.settings}
        for name in names
    }
    return [name for name in names if len(values[name]) > 1]


def _label(entry_group: Group, groups: Sequence[Group]) -> str:
    """The group's label; where another group has the same, with the settings that differ.

    Where not even they do (one has settings that the other lacks), with a run's name.
    """
    namesakes = [
        candidate_group.entries[0]
        for candidate_group in groups
        if candidate_group.label == entry_group.label
    ]
    names = differing(namesakes)
    shown = [{name: entry.settings.get(name) for name in names} for entry in namesakes]
    own_settings = {name: entry_group.entries[0].settings.get(name) for name in names}
    parts = [f"{name}={_text(value)}" for name, value in own_settings.items() if value is not None]
    if shown.count(own_settings) > 1:
        parts.append(entry_group.entries[0].name)
    return ", ".join([entry_group.label, *parts])


def _frozen(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
