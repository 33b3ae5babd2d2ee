"""The page of a search or training, drawn from its run directory."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_darts.cells.genotype import SPACES
from tf_darts.cells.space import find_space
from tf_darts.cells.topology import CellTopology
from tf_darts.config.method_names import label
from tf_darts.errors import StateError
from tf_darts.report.drawing.cell_graph import plain_edge_labels
from tf_darts.report.page.cell_slider import Weights, cell_slider
from tf_darts.report.page.curves import Points, curves, points, weights_by_edge
from tf_darts.report.page.document import figures, heading, pairs, paragraph, write_page
from tf_darts.report.plots import by_operation, group_title
from tf_darts.report.run_files import read_cell, read_records
from tf_darts.runtime import files
from tf_darts.runtime.environment import ENVIRONMENT, in_rows

_MISSING = {
    "skips": "The number of skip connections was not recorded.",
    "eigenvalue": "λ was not measured: this search did not have the monitor `eigenvalue`.",
    "table": "The cells were not looked up: this search was not given a table of trained cells.",
}

Record = Mapping[str, Any]


def write_run_page(
    directory: pathlib.Path,
    topologies: Mapping[str, CellTopology] | None = None,
    baseline: tuple[str, float] | None = None,
    levels: Mapping[str, float] | None = None,
    into: pathlib.Path | None = None,
    about: Mapping[str, str] | None = None,
) -> None:
    """Writes `report.html` of a search or training.

    What the directory has not, or what cannot be read of it, is left out, and a sentence says so.

    Args:
      directory: of the run, which may go on.
      topologies: of its cells by kind; None for those of its space, with the run's operations.
      baseline: name and value of a score to compare with.
      levels: of collapse, by the table's column.
      into: the directory of the page; None for the run's own.
      about: its "kind" and "space"; None where `config.json` says them, as since there are pages.

    Raises:
      StateError: `config.json` cannot be read.
      StorageError: the page cannot be written.
    """
    file = directory / "config.json"
    config = files.read_json(file) if files.exists(file) else {}
    about = about or config
    settings, kind, space = config.get("settings", {}), about.get("kind", "run"), about.get("space")
    parts = [paragraph(_summary(settings), note=True)]
    try:
        history = read_records(directory)
    except StateError as error:
        history = []
        parts.append(paragraph(str(error)))
    if not history:
        parts.append(paragraph("No epoch of this run is recorded yet."))
    elif kind == "search":
        parts += _search(history, space, settings, topologies)
    else:
        parts += _cell(directory)
    if history:
        parts += _curves(history, space, baseline)
    if history and kind == "search":
        parts += _monitors(history, levels or {})
    parts += _settings(directory, settings)
    write_page(into or directory, f"{kind} {directory.resolve().name}", parts)


def _summary(settings: Mapping[str, Any]) -> str:
    names = ("dataset", "space", "seed", "epochs")
    said = [f"{name} {settings[name]}" for name in names if name in settings]
    if "method" in settings:  # a training has none
        said.insert(0, f"method {label(settings)}")
    return ", ".join(said)


def _search(
    history: Sequence[Record],
    space: Any,
    settings: Mapping[str, Any],
    topologies: Mapping[str, CellTopology] | None,
) -> list[str]:
    """The cell over the epochs and the mixing weights by edge."""
    title = heading("The cell over the epochs")
    own = [record for record in history if "genotype" in record]
    if space not in SPACES or not own:
        sentence = f"The records have no cells that can be read (their space is {space})."
        return [title, paragraph(sentence)]
    try:
        genotypes = [SPACES[space].from_dict(record["genotype"]) for record in own]
        known = topologies or find_space(space).narrowed(settings.get("operations", ""))
        weights = {k: _weights(own, space, k, topology) for k, topology in known.items()}
    except (ValueError, KeyError, TypeError, IndexError) as error:
        return [title, paragraph(f"The records' cells cannot be read ({error}).")]
    weights = {k: found for k, found in weights.items() if found is not None}
    epochs = [record["epoch"] for record in own]
    titles = [_title(record) for record in own]
    drawn = cell_slider(genotypes, [str(e) for e in epochs], titles, weights, "epoch ")
    parts = [title, figures({"cell": drawn}), heading("Mixing weights by edge")]
    if not weights:
        return [*parts, paragraph("The mixing weights were not recorded for these cells.")]
    several = len(weights) > 1
    panels = {
        f"weights_{i}": weights_by_edge(f"{kind} cell" if several else "", found, epochs)
        for i, (kind, found) in enumerate(weights.items())
    }
    return [*parts, figures(panels)]


def _weights(
    history: Sequence[Record], space: str, kind: str, topology: CellTopology
) -> Weights | None:
    """The mixing weights of a kind of cell; None where a record's are not of this topology."""
    frames = []
    for record in history:
        rows = record.get("mixing", {}).get(kind)
        if rows is None or len(rows) != topology.edges:
            return None
        mixing = rows if topology.by_edge else np.array(rows, float)
        table = by_operation(mixing, topology)
        frames.append([[None if np.isnan(w) else float(f"{w:.4g}") for w in r] for r in table])
    return Weights(plain_edge_labels(space, kind, topology), topology.all_operations, frames)


def _title(record: Record) -> str:
    scores = [
        f"{name.removeprefix('validation_')} {value:.2f}" for name, value in _scores(record).items()
    ]
    validation = f", the supernet's validation {', '.join(scores)}" if scores else ""
    return f"epoch {record['epoch']}{validation}"


def _scores(record: Record) -> dict[str, float]:
    excluded = ("validation_batch_", "validation_loss", "validation_unaveraged_")
    return {
        name: value
        for name, value in record.items()
        if name.startswith("validation_") and not name.startswith(excluded) and value is not None
    }


def _cell(directory: pathlib.Path) -> list[str]:
    """The cell of a training."""
    title = heading("The cell")
    try:
        cell = read_cell(directory)
    except StateError as error:
        return [title, paragraph(f"The cell is left out: {error}")]
    drawn = cell_slider([cell], [""], [str(cell) if len(str(cell)) < 120 else ""], {}, "")
    drawn = {"data": drawn["data"], "layout": {**drawn["layout"], "sliders": []}}
    return [title, figures({"cell": drawn})]


def _curves(history: Sequence[Record], space: Any, baseline: tuple[str, float] | None) -> list[str]:
    """Scores, losses, and what else the records have a number of."""
    judged = find_space(space).judged_by if space in SPACES else None
    names: dict[str, None] = {}
    for record in history:
        for key in record:
            if key.startswith(("train_", "validation_")):
                names[key.rpartition("_")[2] if judged is None else _metric(key)] = None
    panels = {}
    for i, metric in enumerate(names):
        lines = {
            key.removesuffix(f"_{metric}").replace("_", " "): points(history, key)
            for key in dict.fromkeys(key for record in history for key in record)
            if key.startswith(("train_", "validation_")) and _metric(key) == metric
        }
        lines = {name: line for name, line in lines.items() if line[0]}
        scored = judged is not None and metric == judged[0]
        levels = dict([baseline]) if baseline and scored else {}
        logarithmic = scored and judged[1] == "min"
        if lines:
            panels[f"curve_{i}"] = curves(metric, lines, levels, logarithmic=logarithmic)
    for key in ("entropy", "learning_rate"):
        line = points(history, key)
        if line[0]:
            name = {"entropy": "entropy of α (nats)"}.get(key, key.replace("_", " "))
            panels[key] = curves(name, {name: line})
    return [heading("Curves"), figures(panels)]


def _metric(key: str) -> str:
    """What is measured: "loss" of "validation_batch_loss"."""
    for prefix in ("train_", "validation_batch_", "validation_unaveraged_", "validation_"):
        if key.startswith(prefix):
            return key.removeprefix(prefix)
    return key


def _monitors(history: Sequence[Record], levels: Mapping[str, float]) -> list[str]:
    """Skip connections, λ, looked-up scores, and what else the search measured."""
    groups: dict[str, dict[str, Points]] = {name: {} for name in _MISSING}
    flat = [
        {"epoch": record["epoch"], **record.get("monitors", {})}
        | {f"table/{name}": value for name, value in record.get("table", {}).items()}
        for record in history
    ]
    for key in dict.fromkeys(key for record in flat for key in record if key != "epoch"):
        group, _, name = key.partition("/")
        line = points(flat, key)
        if line[0]:
            groups.setdefault(group, {})[(name or key).replace("_", " ")] = line
    panels, sentences = {}, []
    for group, lines in groups.items():
        if not lines:
            sentences.append(paragraph(_MISSING[group], note=True))
            continue
        title = group_title(group)
        if group == "table":
            # What stands after few epochs is no full score: it has a panel of its own.
            early = {name: line for name, line in lines.items() if "epochs" in name}
            lines = {name: line for name, line in lines.items() if name not in early}
            if early:
                panels["monitor_table_early"] = curves(f"{title}, few epochs", early)
            shown = {f"{n}, collapse": v for n, v in levels.items() if n.replace("_", " ") in lines}
            panels["monitor_table"] = curves(title, lines, shown)
        else:
            panels[f"monitor_{group}"] = curves(title, lines)
    return [heading("What the search measured"), figures(panels), *sentences]


def _settings(directory: pathlib.Path, settings: Mapping[str, Any]) -> list[str]:
    parts = [heading("Settings and environment"), pairs(settings, f"{len(settings)} settings")]
    file = directory / ENVIRONMENT
    try:
        starts = files.read_json(file)["starts"] if files.exists(file) else []
        for number, start in enumerate(starts, start=1):
            name = "environment" if number == 1 else f"start {number}, what changed"
            parts.append(pairs(in_rows(start), f"{name}: {start.get('time', '')}"))
    except (StateError, KeyError, TypeError, AttributeError):
        starts = []
    if not starts:
        parts.append(paragraph("The environment of this run was not recorded.", note=True))
    return parts
