"""A search that collapses and one that does not, epoch by epoch, animated for docs/results.md.

  python experiments/collapse_animation.py [--runs=darts_first:2,beta_darts:2]

Both are recorded searches of the leaderboard (`experiments/results/nasbench201`). A frame has
the cells that they would have ended with after so many epochs, and below what these are worth.
"""

import itertools
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from absl import app, flags
from matplotlib.figure import Figure
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from leaderboard import CURVES, read

from tf_darts.cells.genotype import Genotype, genotype_class
from tf_darts.cli import program
from tf_darts.report.drawing.cell_animation import DPI, animation, in_the_middle, joined, raster
from tf_darts.report.drawing.cell_drawing import draw_genotype
from tf_darts.runtime.files import write_atomically
from tf_darts.spaces.nasbench201 import strings

_RUNS = flags.DEFINE_list("runs", "darts_first:2,beta_darts:2", "METHOD:SEED of each search.")
FILE = CURVES.with_name("collapse.gif")
_LIMITS = 84, 95  # of the curves, %

Run = Mapping[str, Any]


def cell_of(text: str) -> Genotype:
    """The cell in a record's text, `nor_conv_3x3:0 | skip_connect:0 none:1 | …`."""
    nodes = text.replace(":", "~").split(" | ")
    fields = strings.fields("+".join("|".join(node.split()) for node in nodes))
    return genotype_class("nasbench201").from_dict(fields)


def frames(runs: Sequence[Run]) -> list[Image.Image]:
    """A picture for each epoch: the searches' cells side by side, and the curves up to there."""
    panels = [[_panel(run, epoch) for epoch in run["epochs"]] for run in runs]
    sizes = [panel.size for panel in itertools.chain.from_iterable(panels)]
    size = max(width for width, _ in sizes), max(height for _, height in sizes)
    pictures = []
    for number, side_by_side in enumerate(zip(*panels, strict=True), start=1):
        cells = joined([in_the_middle(panel, size) for panel in side_by_side], down=False)
        pictures.append(joined([cells, _curves(runs, number, cells.width)], down=True))
    return pictures


def _panel(run: Run, epoch: Mapping[str, Any]) -> Image.Image:
    """A cell under the name of its search, and what it is worth."""
    skips, worth = epoch["cell"].count("skip_connect"), epoch["table"]["cifar10"]
    title = f"{run['method']}: {worth:.2f} %, {skips} skip connection{'s' * (skips != 1)}"
    return raster(draw_genotype(cell_of(epoch["cell"]), title))


def _curves(runs: Sequence[Run], epochs: int, width: int) -> Image.Image:
    """The looked-up accuracies of the first epochs' cells, `width` pixels wide."""
    figure = Figure(figsize=(width / DPI, 2.2), layout="constrained")
    axes = figure.subplots()
    for run in runs:
        line = [(epoch["epoch"], epoch["table"]["cifar10"]) for epoch in run["epochs"][:epochs]]
        axes.plot(*zip(*line, strict=True), label=run["method"])
        axes.plot(*line[-1], "o", color=axes.lines[-1].get_color())
    random = runs[0]["result"]["references"]["random"]["cifar10"]
    axes.axhline(random, color="grey", linestyle=":", label="mean of all cells")
    axes.set(xlim=(0, len(runs[0]["epochs"]) + 1), ylim=_LIMITS)
    axes.set(xlabel="epoch of the search", ylabel="CIFAR-10, %")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left", fontsize=8, ncols=3)
    return raster(figure)


def chosen(names: Sequence[str]) -> list[Run]:
    """The recorded searches METHOD:SEED; raises `UsageError` where one is not recorded."""
    recorded = {f"{run['method']}:{run['seed']}": run for run in read()}
    for name in names:
        if name not in recorded:
            raise app.UsageError(f"--runs: {name} is not one of {', '.join(recorded)}.")
    return [recorded[name] for name in names]


def main(arguments: list[str]) -> None:
    """Writes the animation."""
    del arguments
    runs = chosen(_RUNS.value)
    titles = [f"epoch {epoch['epoch']}" for epoch in runs[0]["epochs"]]
    write_atomically(FILE, animation(frames(runs), titles))


if __name__ == "__main__":
    program.run(main, "collapse_animation")
