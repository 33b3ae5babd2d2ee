"""Whether a supernet's shared weights know which cells are good, at epochs along a search.

  python -m tf_darts.main --load=experiments/shared_weights.py --method=gdas --seed=0 \
    --rules=shared_weights --flagfile=flags/search_nasbench201_small.flags \
    --known_table=nasbench201.csv --table=nasbench201.csv --run_dir=runs/known_gdas_0
  python experiments/record_run.py runs/known_gdas_0 --output=experiments/results/shared_weights
  python experiments/shared_weights.py           # prints the table of what is recorded

The rule only measures: the search is the same one as without it. Rules that a method has are named
beside it.
"""

import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils import epy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import records

from tf_darts.benchmarks import CellTable
from tf_darts.bilevel.strongest_edges import one_hot
from tf_darts.cells.genotype import genotype_class
from tf_darts.cli import program
from tf_darts.errors import UserError
from tf_darts.methods import EpochRule, SearchProbe, register, setting
from tf_darts.report.tables import Rows, markdown_table
from tf_darts.runtime.busy import busy

with epy.lazy_imports():  # it loads TensorFlow
    from tf_darts.cells import random_cells

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECORDS = ROOT / "experiments" / "results" / "shared_weights"
_SHOWN = 10, 20, 30, 40, 50  # epochs
_NAMES = "rank_correlation", "all_3x3", "derived"


@register("shared_weights")
class SharedWeights(EpochRule):
    """A monitor: how well random cells are ranked by the supernet's weights.

    At the end of every N-th epoch the same random cells are scored by the weights as they are, each
    alone, at the batches' own statistics. `rank_correlation` is Spearman's, with what the table
    says of the cells trained from scratch; `all_3x3` and `derived` are how many percent of the
    random cells score below the cell of nothing but 3×3 convolutions, and below the one derived
    now. The search does not see any of it.
    """

    known_table: str = setting("", "The table of trained cells, a CSV file.")
    known_cells: int = setting(200, "So many random cells are ranked.", unit="cells", minimum=2)
    known_batches: int = setting(
        2,
        "Each is scored by so many batches of --evaluation_batch_size.",
        unit="batches",
        minimum=1,
    )
    known_epochs: int = setting(10, "Once in so many epochs.", unit="epochs", minimum=1)

    def check(self, config: Any) -> None:
        if config.space != "nasbench201":
            raise UserError(
                f"--rules={self.name}: ranks cells of NAS-Bench-201; give --space=nasbench201, or"
                " leave the rule out."
            )
        if not self.known_table:
            raise UserError(f"--rules={self.name}: needs --known_table=FILE.csv.")

    def measure(self, probe: SearchProbe) -> Mapping[str, float]:
        table = CellTable(self.known_table, "nasbench201")  # one that is none: not after ten epochs
        if probe.epoch % self.known_epochs:
            return {}
        genotype = genotype_class("nasbench201")
        cells = [random_cells.random_cells(probe.cells, seed) for seed in range(self.known_cells)]
        [(kind, topology)] = probe.cells.items()
        convolutions = [
            [("nor_conv_3x3", source) for source in range(topology.inputs + node)]
            for node in range(topology.nodes)
        ]
        worths = []
        with busy("Ranking random cells", len(cells) + 2) as piece_done:
            for edges in (*cells, {kind: convolutions}, dict(probe.edges)):
                weights = one_hot(edges, probe.cells)
                worths.append(probe.worth(weights, self.known_batches))
                piece_done()
        *random, all_3x3, derived = worths
        trained = [table.query(genotype.from_cells(edges))["cifar10"] for edges in cells]
        values = (
            rank_correlation(random, trained),
            100.0 * float(np.mean(np.array(random) < all_3x3)),
            100.0 * float(np.mean(np.array(random) < derived)),
        )
        return {f"shared/{name}": value for name, value in zip(_NAMES, values, strict=True)}


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's: the correlation of the ranks, equal values having their mean rank."""
    ranks = []
    for values in (first, second):
        _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(counts) - (counts - 1) / 2)[where])
    return float(np.corrcoef(*ranks)[0, 1])


Run = Mapping[str, Any]


def read(path: pathlib.Path = RECORDS) -> list[Run]:
    """The recorded searches, by method and seed."""
    return records.read(path)


def table(runs: Sequence[Run]) -> Rows:
    """A row for each search."""
    rows = []
    for run in runs:
        at = {epoch["epoch"]: epoch["monitors"] for epoch in run["epochs"]}
        measured = {n: at[n] for n in _SHOWN if f"shared/{_NAMES[0]}" in at.get(n, {})}
        if not measured:
            continue
        last = measured[max(measured)]
        rows.append(
            {"search by": f"`{run['settings']['method']}`", "seed": str(run["seed"])}
            | {f"epoch {n}": f"{of['shared/rank_correlation']:.2f}" for n, of in measured.items()}
            | {"below `all_3x3`": f"{last['shared/all_3x3']:.0f} %"}
            | {"below its own cell": f"{last['shared/derived']:.0f} %"}
            | {"own cell, CIFAR-10": f"{run['epochs'][-1]['table']['cifar10']:.2f}"}
        )
    return rows


def tables(runs: Sequence[Run]) -> dict[str, Rows]:
    """The table of docs/ by its name."""
    return {"shared": table(runs)}


def main(arguments: list[str]) -> None:
    """Prints the table."""
    del arguments
    print(markdown_table(table(read())))


if __name__ == "__main__":
    program.run(main, "shared_weights")
