"""Random cells (docs/method.md section 6): the reference of every search."""

from collections.abc import Mapping

import numpy as np

from tf_darts.cells.genotype import Edge
from tf_darts.cells.topology import CellTopology
from tf_darts.runtime.seeds import sub_seed


def random_edges(topology: CellTopology, random: np.random.Generator) -> list[list[Edge]]:
    """Edges of each searched node, uniform over the discrete cells of docs/method.md section 3.

    A node has `topology.keep` distinct predecessors, listed in order, each with an operation other
    than `none`; all such choices are equally likely.
    """
    operations = [name for name in topology.operations if name != "none"]
    cell = []
    for node in range(topology.nodes):
        before = topology.inputs + node
        sources = sorted(random.choice(before, size=topology.keep, replace=False).tolist())
        cell.append([(operations[random.integers(len(operations))], s) for s in sources])
    return cell


def random_cells(cells: Mapping[str, CellTopology], seed: int) -> dict[str, list[list[Edge]]]:
    """A random cell of each kind: what `Genotype.from_cells` takes, a function of the seed."""
    return {
        name: random_edges(topology, np.random.default_rng(sub_seed(seed, "cell", name)))
        for name, topology in cells.items()
    }
