"""Tables as text: Markdown, columns for a terminal, CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

Rows = Sequence[Mapping[str, str]]  # by column; a row may lack some


def columns_of(rows: Rows) -> list[str]:
    """The columns that any row has something in, in the order in which the rows name them."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [name for name in names if any(row.get(name) for row in rows)]


def markdown_table(rows: Rows) -> str:
    """The rows as a Markdown table; columns without any text are left out."""
    columns = columns_of(rows)
    lines = [columns, ["---"] * len(columns)]
    lines += [[row.get(name, "") for name in columns] for row in rows]
    return "".join(f"| {' | '.join(map(_single_line, line))} |\n" for line in lines)


def plain_table(rows: Rows) -> str:
    """The rows in aligned columns under their names, for a terminal."""
    columns = columns_of(rows)
    lines = [columns, *([row.get(name, "") for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (map(str.ljust, line, widths) for line in lines)
    return "\n".join("  ".join(line).rstrip() for line in padded)


def csv_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as CSV; None is an empty cell."""
    stream = io.StringIO()
    columns = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(stream, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def short_number(count: int | None) -> str:
    """A count for people in three digits, such as 3.35M; nothing for None."""
    if count is None:
        return ""
    rounded = float(f"{count:.3g}")  # before the unit is chosen: 999,999 are 1M, not 1000k
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if rounded >= size:
            value = rounded / size
            return f"{value:.0f}{unit}" if value >= 1000 else f"{value:.3g}{unit}"
    return str(count)


def _single_line(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
