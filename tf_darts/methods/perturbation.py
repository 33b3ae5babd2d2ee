"""DARTS-PT (Wang et al., ICLR 2021): what is kept is what the supernet cannot do without."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils import epy

from tf_darts.bilevel.derivation import Derivation, check_no_stop
from tf_darts.bilevel.edge_options import check_lost_edges
from tf_darts.bilevel.epoch_rules import Directions, Record, SearchFacts, SearchProbe
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells.genotype import Edge
from tf_darts.cells.topology import CellTopology
from tf_darts.config.methods import register, register_method
from tf_darts.config.setting import setting
from tf_darts.errors import UserError
from tf_darts.runtime.busy import busy

with epy.lazy_imports():
    from tf_darts.runtime import seeds

_CHOSEN, _DELETED = "chosen", "deleted"  # groups of monitors, of edges: KIND_ROW
Tables = dict[str, np.ndarray]


@register("perturbation")
class Perturbation(Derivation):
    """Edge by edge, the operation without which the supernet is worst; then edges likewise.

    After the search, in a random order of the run's seed, an edge of each kind of cell: each of its
    operations is taken out alone (its mixing weight is 0, the others stay as they are), and the one
    without which the supernet's score is worst becomes the edge's only one; of equals the first.
    When all edges have chosen, nodes in a random order: while a node has more edges than a discrete
    cell keeps, the one without which the score is best is deleted; of equals the last. Between
    decisions α and w train on for `perturbation_epochs`, at a constant rate of w.

    The score is of the first `perturbation_batches` of the validation data, never augmented, at the
    batches' own statistics, and a deleted edge stays out. (The official code takes augmented
    batches, and an edge that it has deleted is back while the node's other edges are tried. It also
    makes w's optimiser anew, in the DARTS space with a cosine; here the momentum goes on, and the
    rate is constant.)
    """

    perturbation_epochs: int = setting(
        5,
        "The search trains alpha and w for this many epochs from one decision to the next.",
        unit="epochs",
        minimum=1,
        maximum=10**6,
    )
    perturbation_batches: int = setting(
        8,
        "The operations are judged by this many batches of --evaluation_batch_size; 0 takes all"
        " validation data.",
        unit="batches",
        minimum=0,
        maximum=10**6,
    )
    perturbation_rate: float = setting(
        0.1,
        "The learning rate of w between decisions is this share of its first one.",
        above=0.0,
        maximum=1e3,
    )

    def check(self, config: Any) -> None:
        check_no_stop(config, self)
        check_lost_edges(self, config, in_the_end=True)
        if not config.make_parts("relaxation")[0].normalized:
            raise UserError(
                "--derivation=perturbation: the mixing weights of"
                f" --relaxation={config.relaxation} do not sum to 1, so an edge that has chosen has"
                " no mixing weight of 1; take another relaxation, or another derivation."
            )

    def more_epochs(self, cells: Mapping[str, CellTopology]) -> int:
        return self.perturbation_epochs * (sum(_rounds(cells)) - 1)

    def directions(self, history: Sequence[Record], facts: SearchFacts) -> Directions:
        over = len(history) >= facts.epochs
        return Directions(
            allowed=_still_allowed(history, facts.cells),
            weight_learning_rate=self.perturbation_rate * facts.learning_rate if over else None,
        )

    def measure(self, probe: SearchProbe) -> Mapping[str, float]:
        number, rest = divmod(probe.epoch - probe.epochs, self.perturbation_epochs)
        of_operations, of_nodes = _rounds(probe.cells)
        if rest or not 0 <= number < of_operations + of_nodes:
            return {}
        # Of what is decided the rows are one-hot, or 0, already; each decision counts at once.
        tables = {kind: np.array(table) for kind, table in probe.reading.items()}
        decided: dict[str, float] = {}
        for kind, topology in probe.cells.items():
            if number < of_operations:
                for row in self._order(kind, _CHOSEN, range(topology.edges))[number : number + 1]:
                    column = self._choose(probe, tables, kind, row)
                    tables[kind][row] = np.arange(topology.columns) == column
                    decided[f"{_CHOSEN}/{kind}_{row}"] = column
            else:
                nodes = self._order(kind, _DELETED, _crowded(topology))
                for node in nodes[number - of_operations :][:1]:
                    for row in self._delete(probe, tables, kind, node):
                        decided[f"{_DELETED}/{kind}_{row}"] = 1.0
        return decided

    def edges(
        self, mixing: Mapping[str, np.ndarray], cells: Mapping[str, CellTopology]
    ) -> dict[str, list[list[Edge]]]:
        return derive(mixing, cells)

    def edges_after(
        self,
        mixing: Mapping[str, np.ndarray],
        cells: Mapping[str, CellTopology],
        history: Sequence[Record],
    ) -> dict[str, list[list[Edge]]]:
        allowed = _still_allowed(history, cells)
        decided = {kind: table.sum(axis=1, keepdims=True) <= 1 for kind, table in allowed.items()}
        return self.edges({k: np.where(decided[k], allowed[k], mixing[k]) for k in cells}, cells)

    def _order(self, kind: str, purpose: str, members: Sequence[int]) -> list[int]:
        """Edges or nodes in the order in which they are decided."""
        seed = seeds.sub_seed(self.facts.seed, "perturbation", purpose, kind)
        return np.random.default_rng(seed).permutation(members).tolist()

    def _choose(self, probe: SearchProbe, tables: Tables, kind: str, row: int) -> int:
        """The column of the operation without which the supernet is worst."""
        topology = probe.cells[kind]
        names, choices = topology.operations_of(row), topology.choices(row)
        columns = [column for column, name in enumerate(names) if name in choices]
        with busy("Trying the supernet without each operation of an edge"):
            worths = [self._worth_without(probe, tables, kind, (row, column)) for column in columns]
        return columns[int(np.argmin(worths))]

    def _delete(self, probe: SearchProbe, tables: Tables, kind: str, node: int) -> list[int]:
        """Takes edges out of a node until it has as many as it keeps; their rows."""
        rows, deleted = range(probe.cells[kind].edges)[probe.cells[kind].rows(node)], []
        while len(rows) - len(deleted) > probe.cells[kind].kept(node):
            left = [row for row in rows if row not in deleted]
            with busy("Trying the supernet without each edge of a node"):
                worths = [self._worth_without(probe, tables, kind, row) for row in left]
            last_best = len(left) - 1 - int(np.argmax(worths[::-1]))
            deleted.append(left[last_best])
            tables[kind][deleted[-1]] = 0.0
        return deleted

    def _worth_without(self, probe: SearchProbe, tables: Tables, kind: str, place: Any) -> float:
        """What the supernet is worth where these mixing weights are 0, and all others as ever."""
        table = np.array(tables[kind])
        table[place] = 0.0
        return probe.worth({**tables, kind: table}, self.perturbation_batches)


def _crowded(topology: CellTopology) -> list[int]:
    """The nodes that have more edges than a discrete cell keeps."""
    return [n for n in range(topology.nodes) if topology.inputs + n > topology.kept(n)]


def _rounds(cells: Mapping[str, CellTopology]) -> tuple[int, int]:
    """How many decisions there are: of operations, and of nodes; one of each kind of cell each."""
    graphs = cells.values()
    return max(graph.edges for graph in graphs), max(len(_crowded(graph)) for graph in graphs)


def _still_allowed(history: Sequence[Record], cells: Mapping[str, CellTopology]) -> Tables:
    """By what was measured, the operations that edges may have, [edges, operations]: 1 and 0."""
    tables = {kind: np.ones([graph.edges, graph.columns]) for kind, graph in cells.items()}
    for record in history:
        for name, value in record.get("monitors", {}).items():
            group, _, place = name.partition("/")
            kind, _, row = place.rpartition("_")
            if group == _CHOSEN:
                tables[kind][int(row)] = np.arange(cells[kind].columns) == value
            elif group == _DELETED:
                tables[kind][int(row)] = 0.0
    return tables


register_method(
    "darts_pt",
    "first order, and the cell chosen by perturbation of the supernet (Wang et al. 2021)",
    derivation="perturbation",
    hypergradient="first_order",
    colour="#0f7b6c",
)
