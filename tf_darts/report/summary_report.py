"""A report over runs: one Markdown file, pictures, and sessions of TensorBoard's HParams."""

import collections
import pathlib
import shlex
from collections.abc import Sequence

import tensorflow as tf

from tf_darts.benchmarks import CellTable
from tf_darts.cells.space import find_space
from tf_darts.config.method_names import current_name
from tf_darts.errors import StorageError, UserError
from tf_darts.report.entries import LOOKED_UP, SUPERNET, TRAINED, Entry, by_data
from tf_darts.report.file_names import FreeNames
from tf_darts.report.hparams import write_sessions
from tf_darts.report.page.document import check_plotly
from tf_darts.report.page.run_page import write_run_page
from tf_darts.report.page.side_by_side import write_report_page
from tf_darts.report.ranking import REFERENCE
from tf_darts.report.read_runs import read_entries, single_run
from tf_darts.report.report_directory import check_report_directory, empty_report_directory
from tf_darts.report.section import Section
from tf_darts.runtime.environment import in_short, last_command
from tf_darts.runtime.files import write_atomically

_SUPERNET_NOTE = """
These scores are of supernets with shared weights. They do not rank cells: for that, train them.
"""
_LOOKED_UP_NOTE = """
These scores are a table's, each study's ranking says of which column: nothing was trained, and they
are no validation.
"""
_KINDS = {TRAINED: "trained", LOOKED_UP: "table", SUPERNET: "search"}  # in pictures' names
_NOTES = {TRAINED: "", LOOKED_UP: _LOOKED_UP_NOTE, SUPERNET: _SUPERNET_NOTE}


def write_report(
    run_dirs: Sequence[str], report_dir: str, reference: str, table_file: str = ""
) -> pathlib.Path:
    """Writes `report.md`, `report.html`, `plots/` and `tensorboard/` in a directory.

    An older report there is replaced. Of a single search or training the page is that which such a
    run leaves, for those of before there were pages; of several it has them side by side.

    Args:
      run_dirs: of searches, trainings and studies.
      report_dir: where the report goes.
      reference: the source that the others are compared with.
      table_file: a table of trained cells, where the cells are looked up besides; "" for none.

    Returns:
      The path of the Markdown file.

    Raises:
      UserError: a run is missing or not finished, no run has that source, the directory holds
        something else, or there is no such table.
    """
    check_plotly()
    directory = pathlib.Path(report_dir).expanduser()
    check_report_directory(directory)
    entries = read_entries(run_dirs)
    if not entries:
        raise UserError(f"--run_dir={','.join(run_dirs)}: no candidates there; nothing to report.")
    sources = sorted({entry.method for entry in entries})
    reference = current_name(reference)
    if reference not in (*sources, REFERENCE):
        raise UserError(
            f"--reference={reference}: no such source in these runs; use one of"
            f" {', '.join(sources)}."
        )
    table = _open_table(table_file, entries) if table_file else None
    settings = {"mode": "report", "run_dir": ",".join(run_dirs), "reference": reference}
    empty_report_directory(directory, settings)
    text = f"# Report\n\nRuns: {', '.join(f'`{path}`' for path in run_dirs)}\n"
    text += _sections(directory, entries, reference, table)
    text += f"\n## Environments\n\n{_environments(run_dirs)}"
    sessions = directory / "tensorboard"
    try:
        write_sessions(sessions, entries)
    except tf.errors.OpError as error:
        raise StorageError(
            f"{sessions}: cannot be written ({str(error).splitlines()[0]}); make room or give"
            " rights there, then repeat the command, or give another --report_dir."
        ) from error
    text += (
        "\n## TensorBoard\n\nThe same as a table of HParams, with the settings that differ:"
        f"\n\n    tensorboard --logdir={shlex.quote(str(sessions))}\n"
    )
    if about := single_run(run_dirs):
        write_run_page(pathlib.Path(run_dirs[0]).expanduser(), into=directory, about=about)
    else:
        environments = {path: in_short(pathlib.Path(path).expanduser()) for path in run_dirs}
        write_report_page(directory, entries, environments)
    write_atomically(directory / "report.md", text)
    return directory / "report.md"


def _sections(
    directory: pathlib.Path, entries: Sequence[Entry], reference: str, table: CellTable | None
) -> str:
    """The Markdown of all scores: a section for each that compare. Their pictures are written."""
    scores = dict.fromkeys((entry.dataset, entry.score, entry.score_mode) for entry in entries)
    scores_of = collections.Counter(dataset for dataset, *_ in scores)
    free, text = FreeNames(), ""
    for dataset, score, mode in scores:
        better = {"min": "lower", "max": "higher"}[mode]
        text += f"\n## {dataset}: {score} ({better} is better)\n"
        compared = [e for e in entries if (e.dataset, e.score) == (dataset, score)]
        for scored_by, note in _NOTES.items():
            chosen = [entry for entry in compared if entry.scored_by == scored_by]
            parts = by_data(chosen) if chosen else []
            for part in parts:
                several = len(parts) > 1
                title, told = scored_by, _told_data(part, several=several)
                pictures = f"{dataset}_{score}" if scores_of[dataset] > 1 else dataset
                if several:
                    data = part[0].data.digest or "not recorded"
                    title, pictures = f"{title}, data {data}", f"{pictures}_{data}"
                pictures += f"_{_KINDS[scored_by]}"
                section = Section(directory, pictures, free, part, reference, table)
                text += f"\n### {title}\n{note}{told}{section.text()}"
    return text


def _told_data(entries: Sequence[Entry], *, several: bool) -> str:
    """What must be said of the data of a section; "" where its name says all.

    Args:
      entries: the section's.
      several: whether entries that learnt from other data have a section besides.
    """
    data = entries[0].data
    if several and data.digest:
        return (
            f"\nThese runs learnt from the data {data.digest} ({data.sizes}); others of the name"
            f" {entries[0].dataset} learnt from other data, and have a section of their own.\n"
        )
    unknown = sum(not e.data.digest and e.scored_by != LOOKED_UP for e in entries)
    if several:
        return (
            "\nThese runs are from before runs kept a fingerprint of their data. The data are taken"
            " for the same in all of them, and for others than those that are known.\n"
        )
    if unknown > 1:
        return (
            f"\nOf these runs {unknown} are from before runs kept a fingerprint of their data: data"
            " of one name are taken for the same here.\n"
        )
    return ""


def _environments(run_dirs: Sequence[str]) -> str:
    """In what each run was computed and by which command (`environment.json`), as a list."""
    paths = {name: pathlib.Path(name).expanduser() for name in run_dirs}
    lines = (f"- `{n}`: {in_short(p)}\n  - `{last_command(p)}`\n" for n, p in paths.items())
    return "".join(lines)


def _open_table(file: str, entries: Sequence[Entry]) -> CellTable:
    """The table, of the space of the entries that has some; raises `UserError` where none has."""
    spaces = {entry.cell.space for entry in entries if entry.cell is not None}
    judged = sorted(space for space in spaces if find_space(space).table is not None)
    if len(judged) == 1:
        return CellTable(file, judged[0])
    if not judged:
        raise UserError("--table: no run here has cells of which there are tables; leave it out.")
    raise UserError(
        f"--table: these runs have cells of the spaces {' and '.join(judged)}; report them apart."
    )
