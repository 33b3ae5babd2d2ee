"""What `--genotype` may say: a published cell's name, a file, or the text of a cell."""

import hashlib
import json
import pathlib
from typing import Any

from tf_darts.cells import genotype_files
from tf_darts.cells.foreign import is_text
from tf_darts.cells.genotype import Genotype
from tf_darts.errors import UserError
from tf_darts.runtime.files import is_file, shown


def read(given: str) -> Genotype:
    """The cell of a file or text; raises `UserError` in one sentence where there is none."""
    if not is_text(given):
        return genotype_files.load(given)
    try:
        return genotype_files.parse(given)
    except UserError as error:
        raise UserError(f"--genotype={shown(given, 80)}: {error}") from error


def label(given: str) -> str:
    """A short name for it, fit for a directory; raises `UserError` as `read`."""
    if is_text(given):
        return identifier(read(given))
    file, name = genotype_files.split_name(given)
    path = pathlib.Path(file)
    if name:
        return f"{path.stem}_{name}"
    return path.parent.name if path.suffix == ".json" and path.parent.name else path.stem


def identifier(cell: Genotype) -> str:
    """A name that no other cell has."""
    return f"cell_{hashlib.sha256(json.dumps(cell.to_dict()).encode()).hexdigest()[:8]}"


def provenance(given: str, cell: Genotype) -> dict[str, Any]:
    """What a training says of its cell: where it is from, and how it was given to the training.

    `given` is a published name or a genotype file, beside which a report finds the search's
    pictures. For a cell that another program wrote it is a name made of the cell, beside the text
    or the file.
    """
    return {"mode": "train", **cell.provenance, **_named(given, cell)}


def _named(given: str, cell: Genotype) -> dict[str, Any]:
    if is_text(given):
        return {"given": identifier(cell), "text": given}
    if is_file(genotype_files.split_name(given)[0]) and not genotype_files.is_ours(given):
        return {"given": identifier(cell), "file": given}
    return {"given": given}
