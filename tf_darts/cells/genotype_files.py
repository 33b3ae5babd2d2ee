"""Genotype files: cells as JSON, written and read; the forms of others are read too.

`cells/foreign.py` knows what other programs write.
"""

import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from tf_darts.cells import foreign as foreign_cells
from tf_darts.cells.genotype import Genotype, genotype_class
from tf_darts.errors import UserError
from tf_darts.runtime.files import (
    is_file,
    parse_json,
    read_json_lines,
    read_text,
    shown,
    write_atomically,
)

SCHEMA_VERSION = 1
# The field that says where a cell is from; the second is its name in files of commit 517e77a.
PROVENANCE = ("provenance", "found_by")


def save(
    path: pathlib.Path | str, genotype: Genotype, provenance: Mapping[str, Any] | None = None
) -> None:
    """Writes the genotype as JSON, atomically.

    Args:
      path: of the file.
      genotype: the cell.
      provenance: where it is from, as JSON types, in place of what the cell says itself.

    Raises:
      UserError: it is no cell.
    """
    if not isinstance(genotype, Genotype):
        raise UserError(
            f"A {type(genotype).__name__} is no cell to be saved; give the file first, then a"
            " genotype."
        )
    document = {
        "schema_version": SCHEMA_VERSION,
        "space": genotype.space,
        "cell": genotype.to_dict(),
        "provenance": dict(genotype.provenance if provenance is None else provenance),
    }
    write_atomically(path, json.dumps(document, indent=2) + "\n")


def load(path: pathlib.Path | str, space: str | None = None) -> Genotype:
    """Reads a genotype; raises `UserError` in one sentence where the file is not one.

    Args:
      path: of a genotype file, or of a text in which another program left a cell; `FILE:NAME` is
        the one of several that is assigned to NAME. `RUN/history.jsonl:N` is the cell that a
        search had after N epochs.
      space: the one whose cells are asked for, which goes before others whose cells have the same
        fields; None where it may be any.
    """
    file, name = split_name(str(path))
    if is_history(file):
        return _of_epoch(pathlib.Path(file), name)
    text = read_text(file, foreign_cells.forms(space))
    try:
        return parse(text, name, shown(file), space)
    except UserError as error:
        raise UserError(f"{shown(path)}: {error}") from error


def is_ours(path: pathlib.Path | str) -> bool:
    """Whether a file that `load` reads is of our form; raises `UserError` where it is no file."""
    try:
        document = parse_json(read_text(split_name(str(path))[0]).removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "schema_version" in document


def parse(
    text: str, name: str | None = None, source: str = "FILE", space: str | None = None
) -> Genotype:
    """The genotype in a text; raises `UserError`.

    Args:
      text: a genotype file's content, or a cell as other programs write one.
      name: which of several is meant.
      source: the file, for sentences.
      space: as of `load`.
    """
    text, forms = text.removeprefix("\ufeff"), foreign_cells.forms(space)
    try:
        document = parse_json(text)
    except json.JSONDecodeError as error:
        if text.lstrip().startswith("{") and not text.lstrip("{ \r\n\t").startswith("'"):
            reason = f"line {error.lineno}: {error.msg}"
            raise UserError(f"not a genotype file, it is not JSON ({reason}); {forms}.") from error
        return of_fields(foreign_cells.from_python(text.strip(), name, source, space), space)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"not a genotype file, it is not JSON ({shown(error)}); {forms}."
        ) from error
    if name is not None:
        raise UserError(f"it is JSON, in which nothing is named {shown(name)}; leave that out.")
    if not isinstance(document, dict):
        raise UserError(f"not a genotype file, expected a JSON object; {forms}.")
    if document.keys() & {"schema_version", "space", "cell"}:
        return _from_document(document, forms)
    return of_fields(foreign_cells.from_nni(document) or document, space)


def of_fields(fields: Mapping[str, Any], wanted: str | None = None) -> Genotype:
    """The genotype with these fields, of whichever space has them; raises `UserError`.

    `wanted` is the space whose cells are asked for, which goes before others with these fields.
    """
    space, fields = foreign_cells.from_fields(fields, wanted)
    return genotype_class(space).from_dict(fields)


def split_name(path: str) -> tuple[str, str | None]:
    """File and name of `FILE:NAME` or `HISTORY.jsonl:N`; just the file where it has no such end."""
    match = re.fullmatch(r"(.+):([A-Za-z_]\w*|(?<=\.jsonl:)\d+)", path, re.DOTALL)
    return (match[1], match[2]) if match and not is_file(path) else (path, None)


def is_history(file: str) -> bool:
    """Whether a file, without the epoch behind it, is called as the record of a search is."""
    return file.endswith(".jsonl")


def _of_epoch(history: pathlib.Path, number: str | None) -> Genotype:
    """The cell of an epoch of a search, with its provenance; raises `UserError`."""
    records = read_json_lines(history, "give the history.jsonl of a search")
    searched = [record for record in records if type(record.get("epoch")) is int]
    cells = {record["epoch"]: record for record in searched if "genotype" in record}
    if not cells:
        raise UserError(f"{shown(history)}: it is not the history of a search; give one of those.")
    if number is None or not number.isdecimal() or int(number) not in cells:
        raise UserError(
            f"{shown(history)}: it has the cells of epochs {min(cells)} to {max(cells)}; say which"
            f" one, as in {shown(history)}:{max(cells)}."
        )
    last = load(history.with_name("genotype.json"))
    try:
        cell = at_epoch(last, cells[int(number)])
    except (KeyError, TypeError, UserError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise UserError(
            f"{shown(history)}: epoch {number} cannot be read ({reason}); give another one."
        ) from error
    return cell.with_provenance({**cell.provenance, "of_epoch": int(number)})


def at_epoch(cell: Genotype, record: Mapping[str, Any]) -> Genotype:
    """The cell that the search of `cell` had by the end of an epoch, whose record this is."""
    provenance = dict(cell.provenance)
    score = {name: record[name] for name in provenance.get("supernet") or {} if name in record}
    then = {"step": record["step"], "search_seconds": record["seconds"], "supernet": score}
    return type(cell).from_dict(record["genotype"]).with_provenance(provenance | then)


def _from_document(document: dict[str, Any], forms: str) -> Genotype:
    """The genotype in a file's JSON; raises `UserError`, with `forms` as advice."""
    for key in ("schema_version", "space", "cell"):
        if key not in document:
            raise UserError(f"not a genotype file, {key!r} is missing; {forms}.")
    for key in document:
        if key not in ("schema_version", "space", "cell", *PROVENANCE):
            raise UserError(
                f"unknown field {shown(repr(key))}; a genotype file has schema_version, space, cell"
                " and provenance, so take the other out."
            )
    version, space, cell = (document[key] for key in ("schema_version", "space", "cell"))
    if type(version) is not int or version != SCHEMA_VERSION:
        newer = type(version) is int and version > SCHEMA_VERSION
        advice = "upgrade tf_darts" if newer else f"write {SCHEMA_VERSION} there"
        raise UserError(
            f"genotype schema {shown(repr(version))}, this tf_darts reads {SCHEMA_VERSION};"
            f" {advice} or search again."
        )
    if not isinstance(space, str):
        raise UserError(f"unknown space {shown(repr(space))}; write the name of one there.")
    return genotype_class(space).from_dict(cell).with_provenance(provenance_in(document))


def provenance_in(document: Mapping[str, Any]) -> dict[str, Any]:
    """Where the cell of a file's JSON is from; raises `UserError` where that is no object."""
    names = [name for name in PROVENANCE if name in document]
    if len(names) > 1:
        raise UserError("it has found_by, the old name, beside provenance; take found_by out.")
    for name in names:
        if not isinstance(document[name], dict):
            raise UserError(f"its {name} is not a JSON object; write {{}} there.")
        return document[name]
    return {}
