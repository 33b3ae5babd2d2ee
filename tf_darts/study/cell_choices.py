"""A discrete cell as hyperparameters: what black-box tuners choose."""

import itertools
from collections.abc import Mapping

import keras_tuner

from tf_darts.cells.genotype import Edge
from tf_darts.cells.topology import CellTopology


def chosen_cells(
    hyperparameters: keras_tuner.HyperParameters, cells: Mapping[str, CellTopology]
) -> dict[str, list[list[Edge]]]:
    """The cells that a trial chooses; declares the choices where they are new.

    Each node chooses its set of distinct predecessors, and for each an operation that a discrete
    cell may have there: independent and uniform choices of these are uniform over the cells of
    docs/method.md section 3.

    Args:
      hyperparameters: of the trial.
      cells: the topology of each kind of cell.

    Returns:
      Edges by node for each kind of cell: what `Genotype.from_cells` takes.
    """
    return {
        name: [_node(hyperparameters, name, topology, node) for node in range(topology.nodes)]
        for name, topology in cells.items()
    }


def _node(
    hyperparameters: keras_tuner.HyperParameters, cell: str, topology: CellTopology, node: int
) -> list[Edge]:
    prefix = f"{cell}.node{topology.inputs + node}"
    earlier, first = range(topology.inputs + node), topology.rows(node).start
    sources = [*earlier]
    if topology.keep is not None:
        sets = itertools.combinations(earlier, topology.keep)
        texts = ["+".join(map(str, predecessors)) for predecessors in sets]
        sources = [int(s) for s in hyperparameters.Choice(f"{prefix}.from", texts).split("+")]
    if topology.by_edge:  # each edge has choices of its own: all are declared, kept or not
        names = [
            hyperparameters.Choice(f"{prefix}.edge{s}", list(topology.choices(first + s)))
            for s in earlier
        ]
        return [(names[source], source) for source in sources]
    operations = list(topology.choices(first))
    return [
        (hyperparameters.Choice(f"{prefix}.operation{i}", operations), source)
        for i, source in enumerate(sources)
    ]
