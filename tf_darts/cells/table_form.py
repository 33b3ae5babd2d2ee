"""How tables of trained cells, such as NAS-Bench-201's, have the cells of a space."""

import dataclasses
from collections.abc import Callable, Hashable, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableForm:
    """What `tf_darts.benchmarks` must know of a space to look its cells up.

    Attributes:
      written: the text by which a table has a cell, of the cell as `Genotype.to_dict` has it.
      read: the same text of one that may be written otherwise; raises `UserError` where it is no
        cell. A table's rows are read by it.
      alike: what cells share that a table also compares among themselves, of such a text.
      alike_by: what that is, in words.
      references: published cells that stand beside every result, by their names.
      collapse: the published cell that failed searches end in; "" where there is none.
      cells: how many cells the space has.
    """

    written: Callable[[Mapping[str, Any]], str]
    read: Callable[[str], str]
    alike: Callable[[str], Hashable]
    alike_by: str
    references: tuple[str, ...] = ()
    collapse: str = ""
    cells: int
