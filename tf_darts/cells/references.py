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

_LONGEST = 150  # bytes of a label: with what stands around it, a directory's name has 255 at most


def read(reference: str, space: str | None = None) -> Genotype:
    """The cell of a file or text.

    Args:
      reference: the file, or the text itself.
      space: the one whose cells are asked for, as of `genotype_files.load`.

    Raises:
      UserError: there is none, in one sentence.
    """
    if not is_text(reference):
        return genotype_files.load(reference, space)
    try:
        return genotype_files.parse(reference, space=space)
    except UserError as error:
        raise UserError(f"--genotype={shown(reference, 80)}: {error}") from error


def label(reference: str) -> str:
    """A short name for it, fit for a directory; raises `UserError` as `read`."""
    if is_text(reference):
        return identifier(read(reference))
    file, name = genotype_files.split_name(reference)
    path = pathlib.Path(file)
    if name and genotype_files.is_history(file):
        made = f"{path.absolute().parent.name}_epoch{name}"
    elif name:
        made = f"{path.stem}_{name}"
    else:
        made = path.parent.name if path.suffix == ".json" and path.parent.name else path.stem
    return made.encode(errors="replace")[:_LONGEST].decode(errors="ignore")


def identifier(cell: Genotype) -> str:
    """A name that no other cell has."""
    return f"cell_{hashlib.sha256(json.dumps(cell.to_dict()).encode()).hexdigest()[:8]}"


def provenance(reference: str, cell: Genotype) -> dict[str, Any]:
    """What a training says of its cell: where it is from, and how it was given to the training.

    `reference` is a published name or a genotype file, beside which a report finds the search's
    pictures. For a cell that another program wrote it is a name made of the cell, beside the text
    or the file.
    """
    return {"mode": "train", **cell.provenance, **_reference_fields(reference, cell)}


def _reference_fields(reference: str, cell: Genotype) -> dict[str, Any]:
    if is_text(reference):
        return {"given": identifier(cell), "text": reference}
    if is_file(genotype_files.split_name(reference)[0]) and not genotype_files.is_ours(reference):
        return {"given": identifier(cell), "file": reference}
    return {"given": reference}
