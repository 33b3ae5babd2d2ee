"""Tables of a document that are made from records: each between two comments."""

from collections.abc import Mapping

from tf_darts.report.tables import Rows, markdown_table

_BEGIN, _END = "<!-- {name}: python experiments/write_results.py -->\n", "<!-- end -->"


def with_tables(text: str, tables: Mapping[str, Rows]) -> str:
    """The document with those tables made anew that it has.

    Args:
      text: of the document, which has the two comments once for each of them.
      tables: by name, as a first comment says it; one without rows says that nothing is recorded.
    """
    for name, rows in tables.items():
        begin = _BEGIN.format(name=name)
        if begin in text:
            before, rest = text.split(begin)
            after = rest.split(_END, 1)[1]
            table = markdown_table(rows) if rows else "No run of it is recorded yet.\n"
            text = f"{before}{begin}\n{table}\n{_END}{after}"
    return text
