"""Tables of a document that programs make from records: each between two comments."""

from tf_darts.report.tables import Rows, markdown_table

_BEGIN, _END = "<!-- {name}: python experiments/{program} --write -->\n", "<!-- end -->"


def with_table(text: str, name: str, program: str, rows: Rows) -> str:
    """The document with the table `name` made anew from the rows.

    Args:
      text: of the document, which has the two comments once.
      name: of the table, as its first comment says.
      program: of experiments/ that makes it.
      rows: its rows; without any it says that nothing is recorded.
    """
    begin = _BEGIN.format(name=name, program=program)
    before, rest = text.split(begin)
    after = rest.split(_END, 1)[1]
    table = markdown_table(rows) if rows else "No run of it is recorded yet.\n"
    return f"{before}{begin}\n{table}\n{_END}{after}"
