"""The cell over the epochs of a search, as an animated GIF."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from tf_darts.cells.genotype import Genotype
from tf_darts.report.candidate_rows import is_number
from tf_darts.report.drawing.cell_drawing import draw_genotype

_DPI = 90
_TITLE_SIZE = 18  # pixels
_TITLE_HEIGHT = 34
_INK = "#333333"
_COLOURS = 48
_FRAME_MILLISECONDS = 350
_LAST_MILLISECONDS = 3000


def search_animation(history: Sequence[Mapping[str, Any]], genotype_class: type[Genotype]) -> bytes:
    """The animation of a search: a frame an epoch, with its number and its scores.

    Args:
      history: the records of a search, at least one.
      genotype_class: what reads the "genotype" of a record.
    """
    cells = [genotype_class.from_dict(record["genotype"]) for record in history]
    return cell_animation(cells, [_title(record) for record in history])


def cell_animation(cells: Sequence[Genotype], titles: Sequence[str]) -> bytes:
    """A GIF file's content that shows cells one after another, for ever, the last for longer.

    Every frame has the size that the largest needs; a cell stands in the middle, its title above.

    Raises:
      ValueError: there are no cells, or not as many titles.
    """
    if not cells or len(cells) != len(titles):
        raise ValueError(f"{len(cells)} cells and {len(titles)} titles")
    drawings: dict[Genotype, Image.Image] = {}
    for cell in cells:  # most stay the same for many epochs
        if cell not in drawings:
            drawings[cell] = _drawing(cell)
    font = ImageFont.truetype(findfont("DejaVu Sans"), _TITLE_SIZE)
    widths = [drawing.width for drawing in drawings.values()]
    widths += [int(font.getlength(title)) + _TITLE_SIZE for title in titles]
    size = max(widths), _TITLE_HEIGHT + max(drawing.height for drawing in drawings.values())
    frames = [
        _frame(drawings[cell], title, font, size) for cell, title in zip(cells, titles, strict=True)
    ]
    stream = io.BytesIO()
    frames[0].save(
        stream,
        format="GIF",
        save_all=True,
        append_images=frames[1:],
        duration=[_FRAME_MILLISECONDS] * (len(frames) - 1) + [_LAST_MILLISECONDS],
        loop=0,
    )
    return stream.getvalue()


def _title(record: Mapping[str, Any]) -> str:
    """The epoch, and its scores in evaluation mode."""
    prefix, excluded = "validation_", ("validation_batch_", "validation_loss")
    scores = [
        f"{name.removeprefix(prefix)} {value:.2f}"
        for name, value in record.items()
        if name.startswith(prefix) and not name.startswith(excluded) and is_number(value)
    ]
    return f"epoch {record['epoch']}, supernet's validation {', '.join(scores)}"


def _drawing(cell: Genotype) -> Image.Image:
    figure = draw_genotype(cell)
    figure.set_dpi(_DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _frame(
    drawing: Image.Image, title: str, font: ImageFont.FreeTypeFont, size: tuple[int, int]
) -> Image.Image:
    frame = Image.new("RGB", size, "white")
    middle = (size[1] + _TITLE_HEIGHT - drawing.height) // 2
    frame.paste(drawing, ((size[0] - drawing.width) // 2, middle))
    place = size[0] // 2, _TITLE_HEIGHT // 2
    ImageDraw.Draw(frame).text(place, title, fill=_INK, font=font, anchor="mm")
    return frame.quantize(_COLOURS, dither=Image.Dither.NONE)
