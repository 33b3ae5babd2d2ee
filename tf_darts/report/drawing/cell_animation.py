"""The cell over the epochs of a search, alone or beside its mixing weights, as an animated GIF."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from tf_darts.cells.genotype import Genotype
from tf_darts.cells.topology import CellTopology
from tf_darts.report.candidate_rows import is_number
from tf_darts.report.drawing.cell_drawing import draw_genotype
from tf_darts.report.drawing.cell_graph import edge_labels
from tf_darts.report.plots import alpha_heatmap, by_operation

DPI = 90
_TITLE_SIZE = 18  # pixels
_TITLE_HEIGHT = 34
_INK = "#333333"
_COLOURS = 48
_FRAME_MILLISECONDS = 350
_LAST_MILLISECONDS = 3000


def search_animation(
    history: Sequence[Mapping[str, Any]],
    genotype_class: type[Genotype],
    topologies: Mapping[str, CellTopology] | None = None,
) -> bytes:
    """The animation of a search: a frame an epoch, with its number and its scores.

    Args:
      history: the records of a search, at least one.
      genotype_class: what reads the "genotype" of a record.
      topologies: by kind of cell; where they are given, the mixing weights stand beside the cell.
    """
    cells = [genotype_class.from_dict(record["genotype"]) for record in history]
    mixing = [_mixing(r, topologies, genotype_class.space) for r in history] if topologies else ()
    return cell_animation(cells, [_title(record) for record in history], mixing)


def cell_animation(
    cells: Sequence[Genotype], titles: Sequence[str], beside: Sequence[Image.Image] = ()
) -> bytes:
    """A GIF file's content that shows cells one after another, for ever, the last for longer.

    Every frame has the size that the largest needs; a cell stands in the middle, its title above.

    Args:
      cells: at least one.
      titles: as many.
      beside: what stands to the right of each cell; as many, or none.

    Raises:
      ValueError: there are no cells, or not as many of the others.
    """
    if not cells or len(cells) != len(titles) or len(beside) not in (0, len(cells)):
        raise ValueError(f"{len(cells)} cells and {len(titles)} titles, {len(beside)} beside them")
    drawings: dict[Genotype, Image.Image] = {}
    for cell in cells:  # most stay the same for many epochs
        if cell not in drawings:
            drawings[cell] = raster(draw_genotype(cell))
    width = max(drawing.width for drawing in drawings.values())
    height = max(drawing.height for drawing in drawings.values())
    pictures = [in_the_middle(drawings[cell], (width, height)) for cell in cells]
    if beside:
        pictures = [joined(pair, down=False) for pair in zip(pictures, beside, strict=True)]
    return animation(pictures, titles)


def animation(pictures: Sequence[Image.Image], titles: Sequence[str]) -> bytes:
    """A GIF file's content that shows pictures one after another, each under its title."""
    font = ImageFont.truetype(findfont("DejaVu Sans"), _TITLE_SIZE)
    widths = [picture.width for picture in pictures]
    widths += [int(font.getlength(title)) + _TITLE_SIZE for title in titles]
    size = max(widths), _TITLE_HEIGHT + max(picture.height for picture in pictures)
    pairs = zip(pictures, titles, strict=True)
    frames = [_frame(picture, title, font, size) for picture, title in pairs]
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


def _mixing(
    record: Mapping[str, Any], topologies: Mapping[str, CellTopology], space: str
) -> Image.Image:
    """The mixing weights of all kinds of cells, one below the other."""
    several = len(topologies) > 1
    pictures = []
    for kind, topology in topologies.items():
        weights = by_operation(np.array(record["mixing"][kind]), topology)
        names = topology.all_operations, edge_labels(space, kind, topology)
        pictures.append(raster(alpha_heatmap(weights, *names, kind if several else "")))
    return joined(pictures, down=True)


def joined(pictures: Sequence[Image.Image], *, down: bool) -> Image.Image:
    """Pictures one below the other or side by side, in the middle of the largest."""
    widths, heights = [p.width for p in pictures], [p.height for p in pictures]
    size = (max(widths), sum(heights)) if down else (sum(widths), max(heights))
    canvas, place = Image.new("RGB", size, "white"), 0
    for picture in pictures:
        across = (size[0] - picture.width) // 2, place
        along = place, (size[1] - picture.height) // 2
        canvas.paste(picture, across if down else along)
        place += picture.height if down else picture.width
    return canvas


def in_the_middle(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A picture on a white one of this width and height, in pixels."""
    canvas = Image.new("RGB", size, "white")
    canvas.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    return canvas


def raster(figure: Figure) -> Image.Image:
    """A figure as a picture."""
    figure.set_dpi(DPI)
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
