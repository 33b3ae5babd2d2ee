"""What a training shows: TensorBoard while it runs, pictures in its run directory."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

from tf_darts.genotype import Genotype
from tf_darts.report.cell_drawing import draw_genotype
from tf_darts.report.plots import learning_curves, save_figure
from tf_darts.report.tensorboard import TensorBoardLog
from tf_darts.runtime.observer import Observer
from tf_darts.spaces.network import Network

_GROUPS = {
    "train_loss": "loss/train",
    "learning_rate": "optimization/learning_rate",
    "gradient_norm": "gradients/weights",
}


class TrainingReport(Observer):
    """Writes `tensorboard/` and `plots/` in a run directory.

    Args:
      directory: the run directory.
      network: names the scores.
      cell: what the network is made of.
      settings: the configuration, shown as text.
      baseline: name and value of a score to compare with, or None.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        network: Network,
        cell: Genotype,
        settings: dict[str, Any],
        baseline: tuple[str, float] | None = None,
    ) -> None:
        self._plots = directory / "plots"
        self._plots.mkdir(exist_ok=True)
        self._network = network
        self._cell = cell
        self._settings = settings
        self._baseline = baseline
        self._log = TensorBoardLog(directory / "tensorboard")

    def on_start(self, step: int, total_steps: int) -> None:
        del total_steps
        self._log.purge_from(step + 1)
        if step == 0:
            settings = json.dumps(self._settings, indent=2)
            self._log.text("configuration", f"```json\n{settings}\n```", 0)
            figure = draw_genotype(self._cell, str(self._settings["dataset"]))
            self._log.figure("cell", figure, 0)
            save_figure(figure, self._plots / "cell.png")

    def on_rollback(self, step: int, reason: str) -> None:
        self._log.text("rollbacks", f"Back to step {step}: {reason}.", step)
        self._log.flush()
        self._log.purge_from(step + 1)

    def on_step(self, step: int, metrics: dict[str, float]) -> None:
        names = dict(_GROUPS)
        names |= {
            key: f"{key.removeprefix('train_')}/train"
            for key in metrics
            if key.startswith("train_") and key not in names
        }
        self._log.scalars({names[key]: value for key, value in metrics.items()}, step)

    def on_epoch(self, record: dict[str, Any], history: Sequence[dict[str, Any]]) -> None:
        prefix, score = "validation_", self._network.score
        scores = {
            f"{key.removeprefix(prefix)}/validation": value
            for key, value in record.items()
            if key.startswith(prefix)
        }
        self._log.scalars(scores, record["step"])
        curves = {
            "training (with regularisation)": f"train_{score}",
            "validation": f"validation_{score}",
            "validation, weights not averaged": f"validation_unaveraged_{score}",
        }
        known = {name: key for name, key in curves.items() if any(key in r for r in history)}
        figure = learning_curves(
            history,
            known,
            score_name=score,
            baseline=self._baseline,
            logarithmic=self._network.score_mode == "min",
        )
        self._log.figure("curves", figure, record["step"])
        save_figure(figure, self._plots / "curves.png")

    def on_checkpoint(self) -> None:
        self._log.flush()

    def on_end(self) -> None:
        self._log.close()
