"""What the settings of a run make of the space `planted`."""

from collections.abc import Mapping

from tf_darts.cells.genotype import Genotype
from tf_darts.cells.topology import CellTopology
from tf_darts.data.facts import ImageFacts
from tf_darts.errors import UserError
from tf_darts.runtime.seeds import sub_seed
from tf_darts.spaces.image_doors import ImageObjective, ImageSupernet
from tf_darts.spaces.planted.network import FieldsNetwork
from tf_darts.spaces.planted.settings import PlantedSearchConfig, PlantedTrainingConfig


def supernet(
    config: PlantedSearchConfig, facts: ImageFacts, cells: Mapping[str, CellTopology]
) -> ImageSupernet:
    """What a search goes through, with random weights."""
    cell, seed = cells["cell"], sub_seed(config.seed, "weights")
    edges = [cell.operations_of(edge) for edge in range(cell.edges)]
    model = FieldsNetwork(edges, facts.classes, config.channels, affine=False, seed=seed)
    return ImageSupernet(model, facts.shape, "planted", cells)


def objective(config: PlantedTrainingConfig, cell: Genotype, facts: ImageFacts) -> ImageObjective:
    """The training of a network of chosen operations, with random weights.

    Raises:
      UserError: the cell has more nodes than the one that puts the fields together.
    """
    node, *others = cell.cells["cell"].nodes
    if others:
        raise UserError(
            f"A planted network of a cell of {1 + len(others)} nodes cannot be made: its one node"
            f" puts {len(node)} fields together; give a cell of {len(node)} edges."
        )
    seed = sub_seed(config.seed, "weights")
    edges = [(name,) for name, _ in node]
    model = FieldsNetwork(edges, facts.classes, config.channels, affine=True, seed=seed)
    return ImageObjective(model, facts.shape, batch_size=config.batch_size)
