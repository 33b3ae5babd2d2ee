"""A table of trained cells as a file: CSV with a column `architecture` and columns of scores."""

import csv
import hashlib
import io
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tf_darts.errors import UserError
from tf_darts.runtime import files

ARCHITECTURE, INDEX = "architecture", "index"
_FORM = f"a table is a CSV file with a column {ARCHITECTURE} and columns of scores"


class TableFile(NamedTuple):
    """What a table's file has.

    Attributes:
      texts: the cells, as the file writes them, each once.
      lines: on which line of the file each of them is.
      columns: the names of the scores.
      scores: float64 [cells, columns].
      digest: SHA-256 of the file.
    """

    texts: tuple[str, ...]
    lines: tuple[int, ...]
    columns: tuple[str, ...]
    scores: np.ndarray
    digest: str


def read_table(path: files.Path) -> TableFile:
    """Reads a table; a column `index` is passed over.

    Raises:
      UserError: the file is not there, is no such table, has a cell twice, or a score that is no
        finite number; the sentence says on which line.
    """
    name, text = files.shown(path), files.read_text(files.expanded(path), _FORM)
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    try:
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise UserError(f"{name}, line {reader.line_num}: {error}; {_FORM}.") from error
    header = [column.strip() for column in rows[0][1]] if rows else []
    _check_header(name, header)
    place = header.index(ARCHITECTURE)
    chosen = [i for i, column in enumerate(header) if column not in (ARCHITECTURE, INDEX)]
    line_of: dict[str, int] = {}
    scores = []
    for line, row in rows[1:]:
        here = f"{name}, line {line}"
        if len(row) != len(header):
            raise UserError(
                f"{here}: has {len(row)} values, and the first line has {len(header)} names; mend"
                " or take out this line."
            )
        if row[place] in line_of:
            raise UserError(
                f"{here}: the cell {files.shown(row[place])} is on line {line_of[row[place]]}"
                " already; take one of them out."
            )
        line_of[row[place]] = line
        scores.append([_number(here, header[i], row[i]) for i in chosen])
    if not scores:
        raise UserError(f"{name}: has no cells, only a first line; {_FORM}.")
    digest = hashlib.sha256(text.encode()).hexdigest()
    columns = tuple(header[i] for i in chosen)
    return TableFile(tuple(line_of), tuple(line_of.values()), columns, np.array(scores), digest)


def _check_header(name: str, header: Sequence[str]) -> None:
    """Raises `UserError` where the first line does not name what a table has."""
    if ARCHITECTURE not in header:
        raise UserError(f"{name}: its first line names no column {ARCHITECTURE}; {_FORM}.")
    for column in header:
        if not column or header.count(column) > 1:
            kind = f"names {files.shown(column)} twice" if column else "has a column without a name"
            raise UserError(f"{name}: its first line {kind}; give each column a name of its own.")
    if not {*header} - {ARCHITECTURE, INDEX}:
        raise UserError(f"{name}: has no column of scores; {_FORM}.")


def _number(here: str, column: str, text: str) -> float:
    """A score; raises `UserError` where the text is no finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(
            f"{here}: {files.shown(column)} is {files.shown(repr(text), 40)}, which is no finite"
            " number; write one there, or take this line out."
        )
    return value
