"""The HTML file itself: titles, sentences, tables and figures one below the other.

The figures are plotly's, given as dictionaries in its schema: its own figure classes check every
number, which takes longer than all the rest. Its JavaScript library is embedded once.
"""

import functools
import html
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from tf_darts.runtime.files import write_atomically

PAGE = "report.html"
WIDTH = 1180  # of the page's content, pixels
FONT = "DejaVu Sans, Verdana, sans-serif"  # the drawings are laid out for the first
INK = "#333333"

_STYLE = f"""
body {{ font: 15px/1.5 {FONT}; color: {INK}; width: {WIDTH}px; margin: 24px auto; }}
h1 {{ font-size: 24px; margin: 0 0 4px; }}
h2 {{ font-size: 18px; margin: 32px 0 8px; border-bottom: 1px solid #dddddd; }}
p {{ margin: 4px 0; }} .note {{ color: #666666; }}
.figures {{ display: flex; flex-wrap: wrap; gap: 10px; }}
table {{ border-collapse: collapse; font-size: 13px; }}
th, td {{ text-align: left; padding: 2px 14px 2px 0; vertical-align: top; }}
td {{ overflow-wrap: anywhere; }}
th {{ font-weight: normal; color: #666666; white-space: nowrap; }}
summary {{ cursor: pointer; }}
"""

Figure = Mapping[str, Any]  # "data" and "layout" in plotly's schema


def escaped(text: Any) -> str:
    """A text as it is written in HTML, and in plotly's texts, which know some tags too."""
    return html.escape(str(text), quote=True)


def paragraph(text: str, *, note: bool = False) -> str:
    """A sentence."""
    return f'<p class="note">{escaped(text)}</p>' if note else f"<p>{escaped(text)}</p>"


def heading(text: str) -> str:
    """The title of a section."""
    return f"<h2>{escaped(text)}</h2>"


def pairs(rows: Mapping[str, Any], summary: str = "") -> str:
    """Names and values as a table, behind a line to click on where there is one."""
    lines = "".join(
        f"<tr><th>{escaped(name)}</th><td>{escaped(_text(value))}</td></tr>"
        for name, value in rows.items()
    )
    table = f"<table>{lines}</table>"
    return f"<details><summary>{escaped(summary)}</summary>{table}</details>" if summary else table


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def figures(drawn: Mapping[str, Figure]) -> str:
    """Figures beside one another as far as they go, each with its name as the element's id."""
    from plotly.io import to_html

    parts = [
        to_html(
            dict(figure),
            include_plotlyjs=False,
            full_html=False,
            validate=False,
            div_id=name,
            config={"displaylogo": False, "displayModeBar": False, "responsive": False},
            default_width=f"{figure['layout']['width']}px",
            default_height=f"{figure['layout']['height']}px",
        )
        for name, figure in drawn.items()
    ]
    return f'<div class="figures">{"".join(parts)}</div>'


@functools.cache
def _library() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def write_page(directory: pathlib.Path, title: str, parts: Sequence[str]) -> None:
    """Writes `report.html` in a directory, as a whole.

    Args:
      directory: of the run, study or report.
      title: stands above all, and in the browser's tab.
      parts: HTML, of the functions above.

    Raises:
      StorageError: it cannot be written.
    """
    text = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escaped(title)}'
        f"</title><style>{_STYLE}</style><script>{_library()}</script></head>\n"
        f"<body><h1>{escaped(title)}</h1>\n{chr(10).join(parts)}\n</body></html>\n"
    )
    write_atomically(directory / PAGE, text)
