"""The modes of the command line as functions, for `import tf_darts`.

Settings are keywords with the names of the command's flags, which `python -m tf_darts.main --help`
lists; those not given are the data set's own, as there. A wrong one raises `UserError`, in whose
sentence it is a flag. Progress is printed. Ctrl-C interrupts at once; the same call in the same
`run_dir` goes on from the last checkpoint.
"""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tf_darts.cells import genotype_files, references
from tf_darts.cells.genotype import Genotype
from tf_darts.cells.published import PUBLISHED, published_cells
from tf_darts.cells.space import find_space
from tf_darts.config.given_cell import check_space, find_cell
from tf_darts.config.layers import kind_of
from tf_darts.config.presets import Config, configure
from tf_darts.errors import UserError, enumerated
from tf_darts.runs.export import Exported, run_export
from tf_darts.runs.search import SearchRun, run_search
from tf_darts.runs.testing import run_training_test
from tf_darts.runs.training import TrainingRun, run_training
from tf_darts.runtime.callback import Callback, guests
from tf_darts.runtime.devices import say_device
from tf_darts.runtime.many_runs import without_retracing_warnings
from tf_darts.runtime.signals import StopRequest
from tf_darts.study.run_study import run_study

save_genotype = genotype_files.save


def load_genotype(cell: str | os.PathLike) -> Genotype:
    """The cell that a file has, or the published one of a name.

    Args:
      cell: a genotype file; a text in which another program left a cell, `FILE:NAME` where there
        are several; `RUN/history.jsonl:N`, what a search had after N epochs; or the name of a
        published cell.

    Raises:
      UserError: it is neither, or cells of two spaces have that name.
    """
    name = os.fspath(cell)
    spaces = [space for space, cells in PUBLISHED.items() if name in cells]
    if len(spaces) > 1:
        raise UserError(
            f"{name}: is a cell of the spaces {enumerated(spaces)}; take one of them as"
            f" tf_darts.PUBLISHED[{spaces[0]!r}][{name!r}]."
        )
    return PUBLISHED[spaces[0]][name] if spaces else genotype_files.load(name)


class Selection(NamedTuple):
    """A finished selection.

    Attributes:
      path: its run directory.
      cell: the best cell by validation.
      ranking: every candidate with its score, as in `ranking.json`.
    """

    path: pathlib.Path
    cell: Genotype
    ranking: dict[str, Any]


def _plain(value: Any) -> Any:
    """A setting as a flag has it: paths, lists and mappings as texts."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return ",".join(f"{name}={setting}" for name, setting in value.items())
    if isinstance(value, list | tuple):
        texts = [os.fspath(part) if isinstance(part, os.PathLike) else part for part in value]
        return ",".join(texts) if all(isinstance(text, str) for text in texts) else value
    return value


def _cell(cell: Any) -> Any:
    """A cell of ours in place of a named tuple or mapping of the official form; else what it is."""
    if isinstance(cell, tuple) and hasattr(cell, "_asdict"):
        cell = cell._asdict()
    return genotype_files.of_fields(cell) if isinstance(cell, Mapping) else cell


def _name(cell: Genotype) -> str:
    """What a run says that it was given: a published cell's name, or one that no other cell has."""
    for name, published in published_cells(cell.space).items():
        if cell == published:
            return name
    return references.identifier(cell)


def _configured(mode: str, settings: Mapping[str, Any]) -> Config:
    if "mode" in settings:
        raise UserError(f"mode={settings['mode']!r}: this function is for {mode}; leave it out.")
    config = configure({"mode": mode} | {name: _plain(value) for name, value in settings.items()})
    say_device(config)
    return config


def search(*, callbacks: Sequence[Callback] = (), **settings: Any) -> SearchRun:
    """Searches for a cell, or goes on with the search that is in `run_dir`.

    Args:
      callbacks: are told what happens, see `Callback`.
      **settings: of `--mode=search`.

    Raises:
      UserError: settings, data or directory are not right, or the search diverged.

    Examples:
      >>> found = search(dataset="digits", run_dir="runs/first", channels=4, layers=3, epochs=2)
      >>> found.cell, found.path, found.history[-1]["validation_accuracy"]
    """
    told = guests(callbacks)
    config = _configured("search", settings)
    with without_retracing_warnings():
        return run_search(config, StopRequest(), callbacks=told)


def train(
    genotype: Genotype | str | os.PathLike | Mapping[str, Any] | tuple,
    *,
    callbacks: Sequence[Callback] = (),
    **settings: Any,
) -> TrainingRun:
    """Trains a network of a cell from random weights, or goes on with the training in `run_dir`.

    Args:
      genotype: a cell, the file of one, or the name of a published one. Of a search's file, reports
        know which search it is from. Cells of other programs may be their text, or a named tuple
        or mapping with the fields of the official one (docs/own_cell.md).
      callbacks: are told what happens, see `Callback`.
      **settings: of `--mode=train`.

    Raises:
      UserError: as `search`, or the cell is of another space than the data set.
    """
    told = guests(callbacks)
    genotype = _cell(genotype)
    if not isinstance(genotype, Genotype):
        config = _configured("train", settings | {"genotype": genotype})
        return _trained(config, find_cell(config), told)
    of_cell = {"genotype": _name(genotype)}
    dataset = settings.get("dataset")
    if isinstance(dataset, str) and find_space(genotype.space).data == kind_of(dataset):
        of_cell["space"] = genotype.space
    config = _configured("train", of_cell | settings | {"genotype": of_cell["genotype"]})
    check_space(config, genotype)
    return _trained(config, genotype, told)


def _trained(config: Config, cell: Genotype, callbacks: Sequence[Callback]) -> TrainingRun:
    with without_retracing_warnings():
        return run_training(config, cell, StopRequest(), callbacks=callbacks)


def test(run_dir: str | os.PathLike, **settings: Any) -> dict[str, float]:
    """The test scores of a finished training by name, taken once and kept.

    Args:
      run_dir: of the training.
      **settings: of `--mode=test`.

    Raises:
      UserError: there is no finished training, or its data are not to be had.
    """
    return run_training_test(_configured("test", settings | {"run_dir": run_dir}))["scores"]


def select(*, callbacks: Sequence[Callback] = (), **settings: Any) -> Selection | None:
    """Trains several cells for a short time and ranks them (docs/studies.md).

    Args:
      callbacks: are told what happens in the searches and trainings, one after another.
      **settings: of `--mode=select`; `candidates` may be a list, `search_settings` and
        `train_settings` mappings.

    Returns:
      None in a process that is another's worker.

    Raises:
      UserError: as `search`, or every candidate failed.
      Stopped: SIGTERM or Ctrl-C came; the same call goes on from there.
    """
    told = guests(callbacks)
    config = _configured("select", settings)
    ranking = run_study(config, told)
    if ranking is None:
        return None
    path = pathlib.Path(config.run_dir).expanduser()
    return Selection(path, load_genotype(path / "genotype.json"), ranking)


def export(run_dir: str | os.PathLike, export_dir: str | os.PathLike, **settings: Any) -> Exported:
    """Writes the network of a finished training in a format of others (docs/serving.md).

    Args:
      run_dir: of the training.
      export_dir: the directory of all its exported versions.
      **settings: of `--mode=export`.

    Raises:
      UserError: there is no finished training, the version is there already, or what was written
        does not answer as the trained network does.
    """
    directories = {"run_dir": run_dir, "export_dir": export_dir}
    return run_export(_configured("export", settings | directories))
