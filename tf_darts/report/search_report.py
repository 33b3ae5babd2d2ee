"""What a search shows: TensorBoard while it runs, pictures in its run directory."""

import pathlib
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from tf_darts.benchmarks import CellTable
from tf_darts.report.drawing.cell_animation import search_animation
from tf_darts.report.drawing.cell_drawing import draw_genotype
from tf_darts.report.page.run_page import write_run_page
from tf_darts.report.plots import alpha_heatmap, by_operation, learning_curves
from tf_darts.report.run_report import RunReport, json_block
from tf_darts.spaces.supernet import Supernet

# Which curves of a step stand together in TensorBoard.
_GROUPS = {
    "train_loss": "loss/train",
    "validation_loss": "loss/validation_batch",
    "learning_rate": "optimization/learning_rate",
    "weight_gradient_norm": "gradients/weights",
    "hypergradient_norm": "gradients/hypergradient",
    "direct_norm": "gradients/direct_term",
    "implicit_norm": "gradients/implicit_term",
    "epsilon": "gradients/epsilon",
    "loss_scale": "gradients/loss_scale",
    "entropy": "architecture/entropy",
}


class SearchReport(RunReport):
    """Writes `tensorboard/` and `plots/` in a run directory; at the end an animation of the cell.

    Args:
      directory: the run directory.
      supernet: names the cells, operations and the score.
      settings: the configuration, shown as text.
      baseline: name and value of a score to compare with, or None.
      table: where the epochs' cells were looked up, drawn with its level of collapse; or None.
    """

    activity: ClassVar[str] = "search"

    def __init__(
        self,
        directory: pathlib.Path,
        supernet: Supernet,
        settings: dict[str, Any],
        baseline: tuple[str, float] | None = None,
        table: CellTable | None = None,
    ) -> None:
        super().__init__(directory, settings, baseline)
        self._supernet = supernet
        self._columns = () if table is None else table.full_columns
        collapse = {} if table is None else table.collapse()
        self._levels = {
            f"table/{name}": (table.form.collapse, collapse[name])
            for name in self._columns
            if name in collapse
        }

    def on_step(self, step: int, metrics: dict[str, float]) -> None:
        score = self._supernet.score
        names = _GROUPS | {
            f"train_{score}": f"{score}/train",
            f"validation_{score}": f"{score}/validation_batch",
        }
        self._log.scalars({names.get(key, f"other/{key}"): v for key, v in metrics.items()}, step)

    def on_epoch(self, record: dict[str, Any], history: Sequence[dict[str, Any]]) -> None:
        step, score = record["step"], self._supernet.score
        self._log.scalars(
            {
                "loss/validation": record["validation_loss"],
                f"{score}/validation": record[f"validation_{score}"],
                **record.get("monitors", {}),
                **self._looked_up(record),
            },
            step,
        )
        cell = self._supernet.genotype_class.from_dict(record["genotype"])
        value = record[f"validation_{score}"]
        title = f"epoch {record['epoch']}, supernet's validation {score} {value:.2f}"
        figures = {"cell": draw_genotype(cell, title)}
        for name, topology in self._supernet.cells.items():
            figures[f"alpha_{name}"] = alpha_heatmap(
                by_operation(np.array(record["mixing"][name]), topology),
                topology.all_operations,
                topology.edge_names,
                f"mixing weights of {name}, epoch {record['epoch']}",
            )
        for name, figure in figures.items():
            self._log.figure(name, figure, step)
        self._log.text("genotype", json_block(record["genotype"]), step)
        # Records of older versions have no monitors, and leave gaps.
        monitored = [{**r, **r.get("monitors", {}), **self._looked_up(r)} for r in history]
        figures["curves"] = learning_curves(
            monitored,
            {
                "training batches": f"train_{score}",
                "validation batches (training mode)": f"validation_batch_{score}",
                "validation (evaluation mode)": f"validation_{score}",
            },
            score_name=score,
            entropies={"mean over edges": "entropy"},
            monitors=[*record.get("monitors", {}), *self._looked_up(record)],
            levels=self._levels,
            baseline=self._baseline,
            logarithmic=self._supernet.score_mode == "min",
        )
        for name, figure in figures.items():
            self._picture(f"{name}.png", figure)
        super().on_epoch(record, history)

    def _looked_up(self, record: dict[str, Any]) -> dict[str, float]:
        """The scores in the table of a record's cell, but those after few epochs."""
        found = record.get("table", {})
        return {f"table/{name}": found[name] for name in self._columns if name in found}

    def _write_page(self) -> None:
        levels = {key.partition("/")[2]: value for key, (_, value) in self._levels.items()}
        write_run_page(self._directory, self._supernet.cells, self._baseline, levels)

    def on_finish(self, history: Sequence[dict[str, Any]]) -> None:
        self._picture("cell.gif", search_animation(history, self._supernet.genotype_class))
