"""Random cells (docs/method.md section 6): the reference of every search."""

from collections.abc import Mapping

import numpy as np

from tf_darts.cells.genotype import Edge
from tf_darts.cells.topology import CellTopology
from tf_darts.runtime.seeds import sub_seed


def random_edges(topology: CellTopology, random: np.random.Generator) -> list[list[Edge]]:
    """Edges of each searched node, uniform over the discrete cells of docs/method.md section 3.

    A node has as many distinct predecessors as the topology keeps, listed in order, each with an
    operation that a discrete cell may have there; all such choices are equally likely.
    """
    cell = []
    for node in range(topology.nodes):
        before, first = topology.inputs + node, topology.rows(node).start
        sources = [*range(before)]
        if topology.keep is not None:
            sources = sorted(random.choice(before, size=topology.keep, replace=False).tolist())
        choices = [topology.choices(first + source) for source in sources]
        cell.append(
            [(n[random.integers(len(n))], s) for n, s in zip(choices, sources, strict=True)]
        )
    return cell


def random_cells(cells: Mapping[str, CellTopology], seed: int) -> dict[str, list[list[Edge]]]:
    """A random cell of each kind: what `Genotype.from_cells` takes, a function of the seed."""
    return {
        name: random_edges(topology, np.random.default_rng(sub_seed(seed, "cell", name)))
        for name, topology in cells.items()
    }
