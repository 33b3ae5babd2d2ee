"""The cell that a training is given with `--genotype`."""

import pathlib

from tf_darts.cells import references
from tf_darts.cells.foreign import forms, is_text
from tf_darts.cells.genotype import Genotype
from tf_darts.cells.published import PUBLISHED, published_cells
from tf_darts.cells.space import find_space
from tf_darts.config.layers import LAYERS, kind_of
from tf_darts.config.training import TrainingConfig
from tf_darts.errors import UserError
from tf_darts.runtime.files import exists, shown


def find_cell(config: TrainingConfig) -> Genotype:
    """The cell that `--genotype` names, or is.

    Raises:
      UserError: it is neither a published cell nor a file or text with one, or it is of another
        space.
    """
    name, published = config.genotype, published_cells(config.space)
    if name in published:
        return published[name]
    spaces = {name: space for space, cells in PUBLISHED.items() for name in cells}
    if not (name in spaces or is_text(name) or pathlib.Path(name).suffix or exists(name)):
        ours = f"for --dataset={config.dataset} use one of {', '.join(published)}, or "
        advice = f"{ours if published else ''}{forms(config.space)}"
        raise UserError(f"--genotype={shown(name)}: no file and no published cell; {advice}.")
    cell = PUBLISHED[spaces[name]][name] if name in spaces else references.read(name, config.space)
    check_space(config, cell)
    return cell


def check_space(config: TrainingConfig, cell: Genotype) -> None:
    """Raises `UserError` where a cell is of another space than the training."""
    if cell.space == config.space:
        return
    flag_text = f"--genotype={shown(config.genotype)}: a {cell.space} cell"
    kind = find_space(cell.space).data
    if kind == kind_of(config.dataset):
        raise UserError(
            f"{flag_text}, and --space={config.space} trains {config.space} ones; give"
            f" --space={cell.space}, or a cell of the space {config.space}."
        )
    sets = [dataset for mode, dataset in LAYERS[kind] if mode == config.mode]
    raise UserError(
        f"{flag_text}; --dataset={config.dataset} needs a {config.space} one; it goes with"
        f" --dataset={'|'.join(sets)}."
    )
