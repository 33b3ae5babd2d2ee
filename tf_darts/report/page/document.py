"""The HTML file itself: titles, sentences, tables and figures one below the other.

The figures are plotly's, given as dictionaries in its schema: its own figure classes check every
number, which takes longer than all the rest. Its JavaScript library is embedded once.
"""

import functools
import html
import importlib.util
import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tf_darts.errors import UserError
from tf_darts.runtime.files import write_atomically

PAGE = "report.html"
WIDTH = 1180  # of the page's content, pixels
FONT = "DejaVu Sans, Verdana, sans-serif"  # the drawings are laid out for the first
INK = "#333333"

_QUOTED = re.compile(r"`([^`]+)`")

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

# Draws the first figure at once, with which the page is open, and the others when nothing else is
# to be done.
_DRAWING = """
const figures = [...document.querySelectorAll(".figure")];
const draw = () => {
  const element = figures.find((figure) => !figure.layout);
  if (!element) return;
  const {data, layout} = JSON.parse(element.nextElementSibling.textContent);
  Plotly.newPlot(element, data, layout, {displaylogo: false, displayModeBar: false});
  (window.requestIdleCallback ?? setTimeout)(draw, {timeout: 100});
};
draw();
"""

Figure = Mapping[str, Any]  # "data" and "layout" in plotly's schema


def check_plotly() -> None:
    """Raises `UserError` where plotly, which draws the page, is not installed.

    A run asks before anything else, not when its first page is due.
    """
    if importlib.util.find_spec("plotly") is None:
        raise UserError(
            "plotly is not installed, which draws report.html; install it (pip install"
            " 'plotly>=6.1'), and repeat the command."
        )


def escaped(text: Any) -> str:
    """A text as it is written in HTML, and in plotly's texts, which know some tags too."""
    return html.escape(str(text), quote=True)


def paragraph(text: str, *, note: bool = False) -> str:
    """A sentence; what it quotes in backticks is set as code."""
    set_text = _QUOTED.sub(r"<code>\1</code>", escaped(text))
    return f'<p class="note">{set_text}</p>' if note else f"<p>{set_text}</p>"


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
    """Figures beside one another as far as they go, each with its name as the element's id.

    Only their data are there: what draws them is in `write_page`.
    """
    from plotly.io.json import to_json_plotly  # which writes < and > so that HTML does not end

    parts = [
        f'<div class="figure" id="{escaped(name)}" style="width: {figure["layout"]["width"]}px;'
        f' height: {figure["layout"]["height"]}px"></div>'
        f'<script type="application/json">{to_json_plotly(dict(figure))}</script>'
        for name, figure in drawn.items()
    ]
    return f'<div class="figures">{"".join(parts)}</div>'


@functools.cache
def _library() -> str:
    from plotly.offline import get_plotlyjs

    # Its first and last lines make it a module where there are such. In their function V8 reads the
    # 5 MB once more before it runs them: a quarter of the time in which a page opens.
    text = get_plotlyjs()
    begin, end = '"use strict";var Plotly=', "return Plotly;\n}));"
    if text.count(begin) == 1 and text.endswith(end):
        licence = text[: text.index("*/") + 2]
        text = f"{licence}\n{text[text.index(begin) : -len(end)]}"
    return text


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
        f"</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{escaped(title)}</h1>\n{chr(10).join(parts)}\n"
        f"<script>{_library()}</script>\n<script>{_DRAWING}</script></body></html>\n"
    )
    write_atomically(directory / PAGE, text)
