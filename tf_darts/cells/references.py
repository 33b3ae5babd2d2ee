"""What `--genotype` may say: a published cell's name, a file, or the text of a cell."""

import hashlib
import json
import pathlib
from typing import Any

from tf_darts.cells import genotype
from tf_darts.cells.foreign import is_text
from tf_darts.cells.genotype import Genotype
from tf_darts.errors import UserError
from tf_darts.runtime.files import is_file, shown


def read(given: str) -> Genotype:
    """The cell of a file or text; raises `UserError` in one sentence where there is none."""
    if not is_text(given):
        return genotype.load(given)
    try:
        return genotype.parse(given)
    except UserError as error:
        raise UserError(f"--genotype={shown(given, 80)}: {error}") from error


def label(given: str) -> str:
    """A short name for it, fit for a directory; raises `UserError` as `read`."""
    if is_text(given):
        return identifier(read(given))
    file, name = genotype.split_name(given)
    path = pathlib.Path(file)
    if name:
        return f"{path.stem}_{name}"
    return path.parent.name if path.suffix == ".json" and path.parent.name else path.stem


def identifier(cell: Genotype) -> str:
    """A name that no other cell has."""
    return f"cell_{hashlib.sha256(json.dumps(cell.to_dict()).encode()).hexdigest()[:8]}"


def origin(given: str, cell: Genotype) -> dict[str, Any]:
    """What a training says of its cell: a published name or a genotype file, where a report looks.

    Of what another program wrote it is a name made of the cell; the text or file stands beside it.
    """
    if is_text(given):
        return {"given": identifier(cell), "text": given}
    if is_file(genotype.split_name(given)[0]) and not genotype.is_ours(given):
        return {"given": identifier(cell), "file": given}
    return {"given": given}
