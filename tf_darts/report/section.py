"""A section of a report: scores that compare, as tables and pictures."""

import pathlib
from collections.abc import Sequence

from matplotlib.figure import Figure

from tf_darts.benchmarks import CellTable
from tf_darts.report.drawing.cell_drawing import draw_genotype
from tf_darts.report.entries import (
    SUPERNET,
    Entry,
    Group,
    distinct,
    group,
    independent_draws,
)
from tf_darts.report.file_names import FreeNames, safe
from tf_darts.report.monitors import monitor_curves, monitor_rows
from tf_darts.report.plots import save_figure
from tf_darts.report.ranking import ranking_table
from tf_darts.report.ranking_plot import ranking_plot
from tf_darts.report.report_plots import cost_plot, looked_up_curves, overlaid_curves
from tf_darts.report.report_tables import (
    comparison_rows,
    paper_rows,
    ranking_of,
    reference_values,
)
from tf_darts.report.table_judgement import report_section
from tf_darts.report.tables import markdown_table
from tf_darts.runtime.files import read_bytes, write_atomically

_TABLE_NOTE = """
Mean ± standard deviation (of n - 1) over n seeds. The search cost is the time of the search alone,
without the trainings that choose among its cells. Empty: not known.
"""
_P_VALUES = """
Differences of the means; p values are two-sided: Welch's t-test, and the permutation test of the
same difference.
"""


class Section:
    """The part of a report on scores that compare.

    Args:
      directory: the report's; pictures go to its `plots/`.
      name: the beginning of its pictures' names.
      free: names that no picture of the report has yet.
      entries: at least one; all of one data set, score and way of scoring (`by_data`).
      reference: the source that the others are compared with.
      table: where cells of its space are looked up besides, or None.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        name: str,
        free: FreeNames,
        entries: Sequence[Entry],
        reference: str,
        table: CellTable | None = None,
    ) -> None:
        self._directory = directory
        self._name = name
        self._free = free
        self._table_file = table
        self._reference = reference
        self._entries, self._repeated = distinct(entries)
        self._groups = group(self._entries)
        self._short = [entry for entry in self._entries if entry.short and not entry.reason]

    def text(self) -> str:
        """The section's Markdown; its pictures are written."""
        parts = [self._table(), self._comparisons(), self._looked_up(), self._costs()]
        parts += [self._curves(), self._monitors(), self._cells(), self._ranking()]
        return "".join(parts)

    def _table(self) -> str:
        if not self._groups:
            return "\nNo candidate completed.\n"
        notes = "".join(
            f"\n{entry.name} repeats {counted.name} (same cell, seed and settings) and is not"
            " counted again.\n"
            for entry, counted in self._repeated
        )
        if self._short:
            notes += (
                f"\nTrials of fewer epochs than the longest of their study do not count:"
                f" {len(self._short)} are among all scores only.\n"
            )
        return f"\n{markdown_table(paper_rows(self._groups))}{_TABLE_NOTE}{notes}"

    def _comparisons(self) -> str:
        if not any(entry_group.method == self._reference for entry_group in self._groups):
            return f"\nNothing to compare with: no `{self._reference}` cells here.\n"
        rows, incomparable = comparison_rows(self._groups, self._reference)
        table = f"\n{markdown_table(rows)}{_P_VALUES}" if rows else ""
        return table + (f"\n{incomparable}\n" if incomparable else "")

    def _looked_up(self) -> str:
        """What the cells' scores in a table of trained ones are worth, and the searches' curves."""
        table = self._table_file
        if table is None:
            return ""
        cells, groups = {}, {}
        for label, entries in self._groups:
            own = [entry for entry in entries if entry.cell.space == table.space]
            cells |= {entry.name: entry.cell for entry in own}
            if drawn := independent_draws(own):
                groups[label] = drawn
        if not cells:
            return ""
        text = report_section(table, cells, groups)
        for column in table.full_columns:
            figure = looked_up_curves(self._entries, table, column)
            if figure is not None:
                text += "\n" + self._picture(f"table_{column}", figure, column)
        return text

    def _costs(self) -> str:
        """Figure 3 of the paper."""
        if self._entries[0].scored_by == SUPERNET:
            return ""
        searched = [
            entry_group
            for entry_group in self._groups
            if any(entry.snapshots for entry in entry_group.entries)
        ]
        references = (reference_values(one, self._groups, self._reference) for one in searched)
        figure = cost_plot(self._entries, next(filter(None, references), ()), self._reference)
        title = "\n#### Score against search cost\n\n"
        if figure is None:
            return (
                f"{title}No such plot: no run here has snapshots, cells that a search held on its"
                " way and that were trained from scratch (`--mode=select --snapshots=N`).\n"
            )
        return title + self._picture("cost", figure, "score against search cost")

    def _curves(self) -> str:
        figure = overlaid_curves(self._entries)
        if figure is None:
            return ""
        return "\n#### Learning curves\n\n" + self._picture("curves", figure, "learning curves")

    def _monitors(self) -> str:
        """What the searches measured besides; the trainings' searches have reports of their own."""
        if self._entries[0].scored_by != SUPERNET:
            return ""
        figure = monitor_curves(self._entries)
        if figure is None:
            return ""
        table = markdown_table(monitor_rows(self._entries))
        note = "\nEach at the first epoch at which it was measured, and at the last one.\n\n"
        return f"\n#### Monitors\n\n{table}{note}{self._picture('monitors', figure, 'monitors')}"

    def _cells(self) -> str:
        """The best cell of each group, and how its search came to it."""
        text = "\n#### Cells\n" if self._groups else ""
        for entry_group in self._groups:
            text += f"\n{entry_group.label}: " + self._cell(entry_group)
        return text

    def _cell(self, entry_group: Group) -> str:
        scored = [entry for entry in entry_group.entries if entry.value is not None]
        choose = min if entry_group.entries[0].score_mode == "min" else max
        best = choose(scored, key=lambda entry: entry.value) if scored else entry_group.entries[0]
        score = "" if best.value is None else f", {best.score_name} {best.value:.2f}"
        several = "the best is " if len(scored) > 1 else ""
        text = f"{several}{best.name}{score}.\n\n"
        text += self._picture(f"cell_{best.name}", draw_genotype(best.cell), str(best.cell))
        if best.animation:
            file = self._file(f"cell_{best.name}", "gif")
            write_atomically(self._directory / file, read_bytes(best.animation))
            text += f"\nThe same over the epochs of its search:\n\n![epochs]({file})\n"
        return text

    def _ranking(self) -> str:
        failed = [entry for entry in self._entries if entry.reason]
        ranking = ranking_of(self._groups, failed, self._short)
        if not ranking["candidates"]:
            return ""
        picture = self._picture("ranking", ranking_plot(ranking), "all scores")
        return f"\n#### All scores\n\n{picture}\n{ranking_table(ranking)}"

    def _picture(self, name: str, figure: Figure, about: str) -> str:
        file = self._file(name, "png")
        save_figure(figure, self._directory / file)
        return f"![{about}]({file})\n"

    def _file(self, name: str, ending: str) -> str:
        """Where a picture goes that has no file yet, as seen from the report."""
        return f"plots/{self._free.take(safe(f'{self._name}_{name}'), ending)}"
