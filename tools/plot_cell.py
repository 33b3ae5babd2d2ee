"""Draws a cell: a published one by its name, or one that a search found by its file;
or one of another program, by file or text (docs/own_cell.md).

  python tools/plot_cell.py darts_v2 --space=recurrent --output=cell.png
  python tools/plot_cell.py nasnet
  python tools/plot_cell.py RUN/genotype.json --output=cell.svg
  python tools/plot_cell.py genotypes.py:MY_CELL
  python tools/plot_cell.py RUN/history.jsonl --output=cell.gif --mixing
  python tools/plot_cell.py RUN/genotype.json --load=my_space.py

A history is animated: the cell over the epochs of a search, with --mixing beside the mixing
weights. Without --output, the picture is NAME.png
(NAME.gif) in the current folder.
"""

import pathlib
import sys
from collections.abc import Mapping

from absl import flags

# The code beside this tool, whether or not (another) tf_darts is installed.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from tf_darts.cells import genotype, genotype_files, references
from tf_darts.cells.foreign import is_text
from tf_darts.cells.published import PUBLISHED
from tf_darts.cells.space import find_space
from tf_darts.cells.topology import CellTopology
from tf_darts.cli import members, program
from tf_darts.errors import UserError
from tf_darts.report.drawing.cell_animation import search_animation
from tf_darts.report.drawing.cell_drawing import draw_genotype
from tf_darts.report.plots import save_figure
from tf_darts.runs.stages import FILE
from tf_darts.runtime.files import (
    exists,
    is_file,
    make_directory,
    read_json,
    read_json_lines,
    write_atomically,
)

_OUTPUT = flags.DEFINE_string(
    "output", None, "The picture to write, .png, .svg or .pdf, .gif of a history; default NAME.png."
)
_TITLE = flags.DEFINE_string("title", "", "What to write above the drawing.")
_MIXING = flags.DEFINE_bool("mixing", False, "Of a history: the mixing weights beside the cell.")
flags.DEFINE_multi_string("load", None, members.HELP)


def define_flags() -> None:
    """Defines what depends on the spaces that there are."""
    help = "The space of a published cell; needed if several have it."
    flags.DEFINE_enum("space", None, list(genotype.SPACES), help)


def find(name: str, space: str | None) -> genotype.Genotype:
    """The published cell of that name, or else the genotype file at that path.

    Raises:
      UserError: there is no such cell, or there is one in several spaces and `space` is None.
    """
    published = {s: cells[name] for s, cells in PUBLISHED.items() if name in cells}
    if not published and (is_text(name) or is_file(genotype_files.split_name(name)[0])):
        cell = references.read(name)
        if space not in (None, cell.space):
            raise UserError(f"{name}: this cell is {cell.space}; leave out --space={space}.")
        return cell
    if space is None and len(published) > 1:
        choices = "|".join(published)
        raise UserError(f"{name!r} is a cell of more than one space; add --space={choices}.")
    found = published.get(space or next(iter(published), ""))
    if found is None:
        names = "; ".join(f"{s}: {', '.join(cells)}" for s, cells in PUBLISHED.items())
        wanted = f"published {space} cell" if space else "published cell"
        raise UserError(f"{name!r} is no genotype file and no {wanted} ({names}).")
    return found


def searched_cells(config: pathlib.Path, space: str) -> Mapping[str, CellTopology]:
    """The topologies of a search by kind of cell: those that it recorded, or else its space's.

    Raises:
      UserError: a file cannot be read.
    """
    advice = "leave out --mixing"
    settings = read_json(config, advice).get("settings", {})
    cells = find_space(space).narrowed(settings.get("operations", ""))
    recorded = settings.get("cells", {})
    if exists(config.with_name(FILE)):  # the history is of the last stage
        recorded = read_json(config.with_name(FILE), advice)["stages"][-1]["cells"]
    return cells | {kind: CellTopology.from_config(cell) for kind, cell in recorded.items()}


def animate(history: pathlib.Path, output: pathlib.Path) -> None:
    """Writes the animation of the search whose history is given, atomically.

    Raises:
      UserError: the file is no history of a search, or the animation cannot be written.
    """
    kind = type(genotype_files.load(history.with_name("genotype.json")))
    if output.suffix.lower() != ".gif":
        raise UserError(f"{output}: animations are written as .gif; use that.")
    records = read_json_lines(history, "give the history.jsonl of a search")
    try:
        config = history.with_name("config.json")
        topologies = searched_cells(config, kind.space) if _MIXING.value else None
        animation = search_animation(records, kind, topologies)
    except (ValueError, LookupError, TypeError, UserError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise UserError(
            f"{history}: not the history of a search ({reason}); give another file."
        ) from error
    write_atomically(output, animation)


def main(argv: list[str]) -> int:
    """Writes the picture and prints its path; returns the exit status."""
    try:
        if len(argv) != 2:
            raise UserError("give one cell: a published name, a file or a text; see --help.")
        given, space = pathlib.Path(argv[1]), flags.FLAGS["space"].value
        if given.suffix == ".jsonl":
            if space or _TITLE.value:
                raise UserError(f"{given}: --space and --title are for one cell; leave them out.")
            output = _OUTPUT.value or f"{given.stem}.gif"
            make_directory(pathlib.Path(output).parent)
            animate(given, pathlib.Path(output))
        elif _MIXING.value:
            raise UserError("--mixing is for the history.jsonl of a search; leave it out.")
        else:
            stem = (
                references.label(argv[1])
                if is_text(argv[1]) or ".jsonl:" in argv[1]
                else given.stem
            )
            output = _OUTPUT.value or f"{stem}.png"
            make_directory(pathlib.Path(output).parent)
            save_figure(draw_genotype(find(argv[1], space), _TITLE.value), output)
    except UserError as error:
        print(f"plot_cell: {error}", file=sys.stderr)
        return 2
    print(output)
    return 0


if __name__ == "__main__":
    program.run(main, "plot_cell", define_flags)
