"""What a training shows: TensorBoard while it runs, pictures in its run directory."""

import pathlib
from collections.abc import Sequence
from typing import Any, ClassVar

from tf_darts.cells.genotype import Genotype
from tf_darts.report.candidate_rows import is_number
from tf_darts.report.drawing.cell_drawing import draw_genotype
from tf_darts.report.page.run_page import write_run_page
from tf_darts.report.plots import learning_curves
from tf_darts.report.run_report import RunReport
from tf_darts.spaces.objective import TrainingObjective

_GROUPS = {
    "train_loss": "loss/train",
    "learning_rate": "optimization/learning_rate",
    "gradient_norm": "gradients/weights",
    "loss_scale": "gradients/loss_scale",
}


class TrainingReport(RunReport):
    """Writes event files and `plots/` in a run directory.

    Args:
      directory: the run directory.
      network: names the scores.
      cell: what the network is made of.
      settings: the configuration, shown as text.
      baseline: name and value of a score to compare with, or None.
    """

    activity: ClassVar[str] = "training"
    tags: ClassVar[str] = ""

    def __init__(
        self,
        directory: pathlib.Path,
        network: TrainingObjective,
        cell: Genotype,
        settings: dict[str, Any],
        baseline: tuple[str, float] | None = None,
    ) -> None:
        super().__init__(directory, settings, baseline)
        self._network = network
        self._cell = cell

    def on_start(self, step: int, total_steps: int) -> None:
        super().on_start(step, total_steps)
        if step == 0:
            self._figure("cell", draw_genotype(self._cell, str(self._settings["dataset"])), 0)

    def on_step(self, step: int, metrics: dict[str, float]) -> None:
        super().on_step(step, metrics)
        names = dict(_GROUPS)
        names |= {
            key: f"{key.removeprefix('train_')}/train"
            for key in metrics
            if key.startswith("train_") and key not in names
        }
        self._log.scalars({names.get(key, f"other/{key}"): v for key, v in metrics.items()}, step)

    def on_epoch(self, record: dict[str, Any], history: Sequence[dict[str, Any]]) -> None:
        super().on_epoch(record, history)
        score = self._network.score
        # What is not averaged stands beside what is: loss/validation_unaveraged, loss/validation.
        streams = ("validation_unaveraged", "validation")
        scores = {}
        for key, value in record.items():
            stream = next((stream for stream in streams if key.startswith(f"{stream}_")), None)
            if stream and is_number(value):
                scores[f"{key.removeprefix(f'{stream}_')}/{stream}"] = value
        self._log.scalars(scores, record["step"])
        curves = {
            "training (with regularisation)": f"train_{score}",
            "validation": f"validation_{score}",
            "validation, weights not averaged": f"validation_unaveraged_{score}",
        }
        available_curves = {
            name: key for name, key in curves.items() if any(key in r for r in history)
        }
        figure = learning_curves(
            history,
            available_curves,
            score_name=score,
            baseline=self._baseline,
            logarithmic=self._network.score_mode == "min",
        )
        self._figure("curves", figure, record["step"])
        self._renew_page()

    def _write_page(self) -> None:
        write_run_page(self._directory, baseline=self._baseline)
