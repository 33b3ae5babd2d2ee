"""Studies whose candidates cost nothing: a score that follows from the cell."""

import math
import zlib
from types import SimpleNamespace

from tf_darts.cells.genotype import SPACES
from tf_darts.cells.random_cells import random_cells
from tf_darts.cells.topologies import TOPOLOGIES
from tf_darts.config.presets import configure
from tf_darts.data.fingerprint import fingerprint_of_text
from tf_darts.report import ranking
from tf_darts.runtime.files import write_atomically
from tf_darts.study import run_study
from tf_darts.study.train_candidate import description

SELECTION = {"mode": "select", "dataset": "pydoc", "candidates": "first_order,random", "count": 2}
BLACK_BOX = {"mode": "black_box", "dataset": "pydoc", "trials": 4}

DATA = SimpleNamespace(
    description=lambda: {"dataset": "pydoc"},
    fingerprint=lambda: fingerprint_of_text(["a", "b"], {}),
)


def row(candidate, **others):
    """The row of a completed candidate."""
    cell = candidate.cell or _found(candidate)
    score = zlib.crc32(str(cell).encode()) % 10_000 / 7
    if candidate.settings:  # smooth, as tuners expect
        score = sum((math.log(value) - 2.0) ** 2 for value in candidate.settings.values())
    return {
        **description(candidate),
        "status": "completed",
        "reason": "",
        "score": score,
        "epoch": 1,
        "cell": str(cell),
        "genotype": cell.to_dict(),
        "counts": {"weights": 12},
        "search_seconds": 0.0,
        "training_seconds": 1.5,
        "snapshots": [],
    } | others


def _found(candidate):
    """What the candidate's search finds."""
    space = candidate.training.space
    return SPACES[space].from_cells(random_cells(TOPOLOGIES[space], 100 + candidate.seed))


class ToyStudy:
    """Runs studies in this process.

    Attributes:
      evaluated: the names of the candidates that were, in their order.
      answers: by name, an exception to raise in place of an evaluation.
    """

    def __init__(self, monkeypatch):
        self.evaluated, self.answers = [], {}
        monkeypatch.setattr(run_study, "train_candidate", self._evaluate)
        monkeypatch.setattr(
            run_study, "_check", lambda config, example: ("perplexity", "min", DATA)
        )
        picture = b"\x89PNG"
        monkeypatch.setattr(ranking, "save_figure", lambda f, path: write_atomically(path, picture))
        monkeypatch.setattr(ranking, "ranking_plot", lambda ranking: None)

    def _evaluate(self, candidate, folder, snapshots, stop, callbacks):
        assert list(callbacks) == []
        self.evaluated.append(candidate.name)
        if candidate.name in self.answers:
            raise self.answers[candidate.name]
        return row(candidate)

    def run(self, directory, **settings):
        """The ranking of a study in a directory."""
        self.evaluated.clear()
        return run_study.run_study(configure({**settings, "run_dir": str(directory)}))
