"""What a search shows: TensorBoard while it runs, pictures in its run directory."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tf_darts.benchmarks import CellTable
from tf_darts.report.drawing.cell_graph import plain_edge_labels
from tf_darts.report.run_report import RunReport
from tf_darts.runtime.busy import busy
from tf_darts.spaces.supernet import Supernet

# Which curves of a step stand together in TensorBoard. Those that a training has too are named
# otherwise there: a supernet's loss beside a trained network's would seem to compare with it.
_GROUPS = {
    "train_loss": "supernet_loss/train",
    "validation_loss": "supernet_loss/validation_batch",
    "learning_rate": "supernet_optimization/learning_rate",
    "weight_gradient_norm": "supernet_gradients/weights",
    "hypergradient_norm": "supernet_gradients/hypergradient",
    "direct_norm": "supernet_gradients/direct_term",
    "implicit_norm": "supernet_gradients/implicit_term",
    "epsilon": "supernet_gradients/epsilon",
    "loss_scale": "supernet_gradients/loss_scale",
    "entropy": "architecture/entropy",
}


class SearchReport(RunReport):
    """Writes event files and `plots/` in a run directory; at the end an animation of the cell.

    Args:
      directory: the run directory.
      supernet: names the cells, operations and the score.
      settings: the configuration, shown as text.
      baseline: name and value of a score to compare with, or None.
      table: where the epochs' cells were looked up, drawn with its level of collapse; or None.
    """

    activity: ClassVar[str] = "search"
    tags: ClassVar[str] = "supernet_"

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

    def on_start(self, step: int, total_steps: int) -> None:
        super().on_start(step, total_steps)
        if step == 0:
            self._log.charts(self._charts())

    def on_step(self, step: int, metrics: dict[str, float]) -> None:
        super().on_step(step, metrics)
        score = self._supernet.score
        names = _GROUPS | {
            f"train_{score}": f"supernet_{score}/train",
            f"validation_{score}": f"supernet_{score}/validation_batch",
        }
        self._log.scalars({names.get(key, f"other/{key}"): v for key, v in metrics.items()}, step)

    def on_epoch(self, record: dict[str, Any], history: Sequence[dict[str, Any]]) -> None:
        # Not before there is something to draw: Matplotlib takes half a second.
        from tf_darts.report.plots import figure_to_png, learning_curves
        from tf_darts.report.search_pictures import figures_of

        super().on_epoch(record, history)
        step, score = record["step"], self._supernet.score
        self._log.scalars(
            {
                "supernet_loss/validation": record["validation_loss"],
                f"supernet_{score}/validation": record[f"validation_{score}"],
                **self._mixing(record),
                **record.get("monitors", {}),
                **self._looked_up(record),
            },
            step,
        )
        cell = self._supernet.genotype_class.from_dict(record["genotype"])
        for name, figure in figures_of(record, self._supernet).items():
            self._figure(name, figure, step)
        self._log.text("genotype", f"`{cell}`", step)
        # Records of older versions have no monitors, and leave gaps.
        monitored = [{**r, **r.get("monitors", {}), **self._looked_up(r)} for r in history]
        curves = learning_curves(
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
        self._picture("curves.png", figure_to_png(curves))
        self._renew_page()

    def _charts(self) -> dict[str, dict[str, list[str]]]:
        """A chart for each edge, with a curve for each of its operations."""
        return {
            f"mixing weights of {name}": {
                edge: [_tag(name, edge, o) for o in topology.operations_of(row)]
                for row, edge in enumerate(self._edges(name))
            }
            for name, topology in self._supernet.cells.items()
        }

    def _mixing(self, record: Mapping[str, Any]) -> dict[str, float]:
        """The mixing weights of a record, by edge and operation."""
        return {
            _tag(name, edge, operation): weight
            for name, topology in self._supernet.cells.items()
            for row, edge in enumerate(self._edges(name))
            for operation, weight in zip(
                topology.operations_of(row), record["mixing"][name][row], strict=True
            )
        }

    def _edges(self, name: str) -> list[str]:
        space = self._supernet.genotype_class.space
        return plain_edge_labels(space, name, self._supernet.cells[name])

    def _looked_up(self, record: dict[str, Any]) -> dict[str, float]:
        """The scores in the table of a record's cell, but those after few epochs."""
        found = record.get("table", {})
        return {f"table/{name}": found[name] for name in self._columns if name in found}

    def _write_page(self) -> None:
        from tf_darts.report.page.run_page import write_run_page

        levels = {key.partition("/")[2]: value for key, (_, value) in self._levels.items()}
        write_run_page(self._directory, self._supernet.cells, self._baseline, levels)

    def on_finish(self, history: Sequence[dict[str, Any]]) -> None:
        from tf_darts.report.drawing.cell_animation import search_animation

        super().on_finish(history)
        with busy("Drawing the cells of all epochs"):
            self._picture("cell.gif", search_animation(history, self._supernet.genotype_class))


def _tag(cell: str, edge: str, operation: str) -> str:
    """Of the curve of a mixing weight: a group for each cell, and in it the edges one by one.

    HParams shows the first few metrics by name, so the scores must come before these many.
    """
    return f"supernet_mixing_{cell}/{edge}/{operation}"
