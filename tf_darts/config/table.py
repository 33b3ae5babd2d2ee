"""The settings of those who look cells up in a table of trained ones (`tf_darts.benchmarks`)."""

from typing import Any

from tf_darts.cells.space import find_space, spaces
from tf_darts.config.setting import setting
from tf_darts.errors import UserError


def table_setting() -> Any:
    """The field of searches, studies and reports."""
    return setting(
        "",
        "The cells are looked up in this CSV file of trained cells' scores: by select and"
        " black_box in place of training them, by search and report beside what they do; see"
        " docs/nasbench201.md.",
        group="table",
        operational=True,
    )


def table_score_setting() -> Any:
    """The field of studies."""
    return setting(
        "",
        "The study ranks by this column of --table; where none is named, it is the column with the"
        " data set's name.",
        group="table",
    )


def check_has_tables(space: str) -> None:
    """Raises `UserError` where there are no tables of a space's cells."""
    if find_space(space).table is None:
        others = ", ".join(name for name, record in spaces().items() if record.table is not None)
        raise UserError(
            f"--table has no meaning for cells of the space {space}, of which there are no tables;"
            f" leave it out, or give --space={others}."
        )
