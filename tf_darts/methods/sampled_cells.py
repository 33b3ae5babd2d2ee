"""Random search with weight sharing (Li & Talwalkar 2019), in its two parts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from etils import epy

from tf_darts.bilevel.derivation import Derivation, check_no_stop
from tf_darts.bilevel.edge_options import check_lost_edges
from tf_darts.bilevel.epoch_rules import Record, SearchProbe
from tf_darts.bilevel.relaxation import Moment, Relaxation
from tf_darts.bilevel.strongest_edges import derive, one_hot
from tf_darts.cells.genotype import Edge
from tf_darts.cells.topology import CellTopology
from tf_darts.config.methods import register, register_method
from tf_darts.config.setting import setting
from tf_darts.errors import UserError
from tf_darts.runtime.busy import busy

with epy.lazy_imports():
    import tensorflow as tf

    from tf_darts.cells import random_cells
    from tf_darts.runtime import seeds

if TYPE_CHECKING:
    from tf_darts.spaces.supernet import Alphas, Mixing

_DERIVATION = "best_sampled"
Edges = dict[str, list[list[Edge]]]


@register("uniform")
class Uniform(Relaxation):
    """One discrete cell in each step, all of them equally likely, whatever alpha is.

    Of each node as many edges as a discrete cell keeps, drawn without return, each with one of the
    operations that it may have there and that are allowed; the weights of all others are 0. One
    draw serves all cells of a kind in a step. What is read is the mean over all draws of an edge
    that is kept. (The official code draws `none` too, in a space whose cells may not have it.)
    """

    # Rows of edges that are not kept are 0.
    normalized: ClassVar[bool] = False
    one_hot: ClassVar[bool] = True
    # Nor differentiable once: it does not depend on α.
    twice_differentiable: ClassVar[bool] = False

    def check(self, config: Any) -> None:
        check_lost_edges(self, config)
        if config.derivation != _DERIVATION:
            raise UserError(
                f"--relaxation={self.name}: alpha is not in its mixing weights, and"
                f" --derivation={config.derivation} would read a cell off it; give"
                f" --derivation={_DERIVATION}."
            )
        readers = [rule.name for rule in config.make_parts("rules") if rule.stages() > 1]
        if readers or config.alpha_terms:
            part = f"rules={readers[0]}" if readers else f"alpha_terms={config.alpha_terms}"
            raise UserError(
                f"--relaxation={self.name}: alpha is not in its mixing weights, so --{part} has"
                " no meaning with it; leave it out."
            )

    def mixing(self, alphas: Alphas, moment: Moment) -> Mixing:
        drawn = {}
        for number, (kind, topology) in enumerate(self.facts.cells.items()):
            seed = tf.random.experimental.stateless_fold_in(moment.seed, number)
            # In the first column by which edges are kept, in the others by which operations are.
            shape = [topology.edges, 1 + topology.columns]
            draws = tf.random.stateless_uniform(shape, seed, dtype=alphas[kind].dtype)
            may = self._may(kind, moment)
            chosen = tf.argmax(tf.where(may, draws[:, 1:], -1.0), axis=-1)
            rows = tf.one_hot(chosen, topology.columns, dtype=draws.dtype)
            rows = tf.where(may, rows, tf.zeros_like(rows))  # an edge may have lost all
            alive = tf.where(tf.reduce_any(may, axis=-1), draws[:, 0], -1.0)
            drawn[kind] = _kept(alive, topology)[:, tf.newaxis] * rows
        return drawn

    def reading(self, alphas: Alphas, moment: Moment) -> Mixing:
        may = {kind: self._may(kind, moment) for kind in self.facts.cells}
        tables = {kind: tf.cast(table, alphas[kind].dtype) for kind, table in may.items()}
        return {
            kind: tf.math.divide_no_nan(table, tf.reduce_sum(table, axis=-1, keepdims=True))
            for kind, table in tables.items()
        }

    def _may(self, kind: str, moment: Moment) -> tf.Tensor:
        """Which operations an edge may have, bool [edges, operations]."""
        topology = self.facts.cells[kind]
        may = tf.constant(
            [
                [name in topology.choices(edge) for name in topology.operations_of(edge)]
                for edge in range(topology.edges)
            ]
        )
        return may & (moment.allowed[kind] > 0) if moment.allowed else may


def _kept(draws: tf.Tensor, topology: CellTopology) -> tf.Tensor:
    """1 for the edges with a node's largest draws, as many as it keeps; else 0: [edges]."""
    masks = []
    for node in range(topology.nodes):
        of_node = draws[topology.rows(node)]
        least = tf.math.top_k(of_node, topology.kept(node), sorted=True).values[-1]
        masks.append(tf.cast(of_node >= least, draws.dtype))
    return tf.concat(masks, axis=0)


@register(_DERIVATION)
class BestSampled(Derivation):
    """Of random cells the one that is best with the supernet's weights.

    After the last epoch, `sampled_cells` discrete cells are drawn, all equally likely, by the run's
    seed. Each is scored, with the weights as they are, on the first `sampled_batches` of the
    validation data, the best `sampled_finalists` then on all of them, and the best of these is the
    search's cell: what the paper of DARTS asks for as performance-aware derivation. All cells see
    the same batches, never augmented, at the batches' own statistics: moving ones would be those of
    a mixture over cells. Before the last epoch's end the cell is that of the strongest edges.
    """

    sampled_cells: int = setting(
        1000,
        "The derivation scores this many random cells at the end.",
        unit="cells",
        minimum=1,
        maximum=10**6,
    )
    sampled_batches: int = setting(
        10,
        "Each random cell is scored by this many batches of --evaluation_batch_size.",
        unit="batches",
        minimum=1,
        maximum=10**6,
    )
    sampled_finalists: int = setting(
        10,
        "This many of the random cells, the best ones, are scored on all validation data.",
        unit="cells",
        minimum=1,
        maximum=10**6,
    )

    def check(self, config: Any) -> None:
        check_no_stop(config, self)
        check_lost_edges(self, config)
        if self.sampled_finalists > self.sampled_cells:
            raise UserError(
                f"--sampled_finalists={self.sampled_finalists} are more than"
                f" --sampled_cells={self.sampled_cells}; give at most so many."
            )

    def measure(self, probe: SearchProbe) -> Mapping[str, float]:
        if probe.epoch != probe.epochs:
            return {}

        def worths(numbers: Sequence[int], batches: int, doing: str) -> list[float]:
            found = []
            with busy(doing, len(numbers)) as piece_done:
                for number in numbers:
                    tables = one_hot(self._cell(number, probe.cells), probe.cells)
                    found.append(probe.worth(tables, batches))
                    piece_done()
            return found

        numbers = range(self.sampled_cells)
        first = worths(numbers, self.sampled_batches, "Scoring random cells")
        order = np.argsort(-np.array(first), kind="stable")
        finalists = order[: self.sampled_finalists].tolist()
        last = worths(finalists, 0, "Scoring the best of them on all validation data")
        best = int(np.argmax(last))
        if not math.isfinite(last[best]):
            raise UserError(
                f"--derivation={self.name}: the supernet gives no number for any of the"
                f" {len(finalists)} best random cells; it has diverged: search again with a lower"
                " --weight_learning_rate."
            )
        return {"sampled/cell": finalists[best], "sampled/worth": last[best]}

    def edges(
        self, mixing: Mapping[str, np.ndarray], cells: Mapping[str, CellTopology]
    ) -> dict[str, list[list[Edge]]]:
        return derive(mixing, cells)

    def edges_after(
        self,
        mixing: Mapping[str, np.ndarray],
        cells: Mapping[str, CellTopology],
        history: Sequence[Record],
    ) -> Edges:
        monitors = history[-1]["monitors"] if history else {}
        if "sampled/cell" not in monitors:
            return self.edges(mixing, cells)
        return self._cell(int(monitors["sampled/cell"]), cells)

    def _cell(self, number: int, cells: Mapping[str, CellTopology]) -> Edges:
        """One of the random cells."""
        seed = seeds.sub_seed(self.facts.seed, "sampled_cells", number)
        return random_cells.random_cells(cells, seed)


register_method(
    "rsps",
    "random search with weight sharing (Li & Talwalkar 2019): alpha is not learnt",
    relaxation="uniform",
    rules=("frozen_alphas",),
    derivation=_DERIVATION,
    hypergradient="first_order",
    colour="#7f7f7f",
)
