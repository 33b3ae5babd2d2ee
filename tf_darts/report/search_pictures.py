"""The pictures of a search at an epoch's end."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tf_darts.report.drawing.cell_drawing import draw_genotype
from tf_darts.report.drawing.cell_graph import edge_labels
from tf_darts.report.plots import alpha_heatmap, by_operation
from tf_darts.spaces.supernet import Supernet


def figures_of(record: Mapping[str, Any], supernet: Supernet) -> dict[str, Figure]:
    """The cell and the mixing weights of each kind of cell.

    Args:
      record: of the epoch.
      supernet: names the cells, operations and the score.
    """
    cell = supernet.genotype_class.from_dict(record["genotype"])
    score = supernet.score
    value = record[f"validation_{score}"]
    title = f"epoch {record['epoch']}, supernet's validation {score} {value:.2f}"
    figures = {"cell": draw_genotype(cell, title)}
    for name, topology in supernet.cells.items():
        figures[f"alpha_{name}"] = alpha_heatmap(
            by_operation(np.array(record["mixing"][name]), topology),
            topology.all_operations,
            edge_labels(cell.space, name, topology),
            f"mixing weights of {name}, epoch {record['epoch']}",
        )
    return figures
