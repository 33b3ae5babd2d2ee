"""The knapsack: golden cases, DARTS's rule without a budget, and all cells tried one by one."""

import itertools
import json

import numpy as np
import pytest

from tf_darts.bilevel.budget import knapsack, smallest, within_budget
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells.costs import Costs
from tf_darts.cells.space import find_space
from tf_darts.cells.topology import CellTopology
from tf_darts.methods.sampled_cells import one_hot


def softmax(logits):
    powers = np.exp(logits)
    return powers / powers.sum(axis=-1, keepdims=True)


def score(edges, mixing, cells):
    chosen = one_hot(edges, cells)
    return sum(np.log(mixing[kind][table == 1]).sum() for kind, table in chosen.items())


def test_golden_cases(shared):
    golden = json.loads((shared / "golden" / "derivations.json").read_text())["budget"]
    operations = ("none", *golden["operations"])
    cells = {"cell": CellTopology(2, 2, golden["keep"], operations)}
    assert [f"{j}→{i}" for i, j in golden["edges"]] == cells["cell"].edge_names
    for case in golden["cases"]:
        table = [
            [0, *(case["cost"][f"{i}<-{j}"][name] for name in golden["operations"])]
            for i, j in golden["edges"]
        ]
        costs, mixing = (
            Costs(base=0, tables={"cell": np.array(table)}),
            {"cell": softmax(np.array(case["alpha"]))},
        )
        for answer in case["answers"]:
            edges = within_budget(mixing, cells, costs, answer["budget"])
            by_source = {
                str(2 + node): sorted([[n, s] for n, s in kept], key=lambda e: e[1])
                for node, kept in enumerate(edges["cell"])
            }
            assert by_source == answer["cell"], (case["name"], answer["budget"])
            assert costs.of(edges, cells) == answer["cost"] <= answer["budget"]
            assert score(edges, mixing, cells) == pytest.approx(answer["score"], rel=1e-12)
            assert knapsack(mixing, cells, costs, answer["budget"]) == edges
        assert within_budget(mixing, cells, costs, case["answers"][0]["budget"]) == derive(
            mixing, cells
        )
        if "impossible_budget" in case:
            assert within_budget(mixing, cells, costs, case["impossible_budget"]) is None
            assert smallest(cells, costs) > case["impossible_budget"]
        least = within_budget(mixing, cells, costs, smallest(cells, costs))
        assert costs.of(least, cells) == smallest(cells, costs)


SHAPES = [
    dict.fromkeys(("normal", "reduce"), CellTopology(2, 4, 2, tuple("abcd"))),
    {"cell": CellTopology(1, 8, 1, ("none", "a", "b", "c"))},
    {"cell": CellTopology(1, 3, None, ("none", "a", "b"), none_competes=True)},
    {"cell": CellTopology(3, 2, 3, ("a", "none", "b"))},
]


@pytest.mark.parametrize("cells", SHAPES)
def test_without_a_budget_it_is_darts_s_own_rule(cells):
    for seed in range(10):
        random = np.random.default_rng(seed)
        mixing = {k: softmax(random.normal(size=(t.edges, t.columns))) for k, t in cells.items()}
        tables = {k: random.integers(0, 9, (t.edges, t.columns)) for k, t in cells.items()}
        costs = Costs(base=5, tables=tables)
        assert knapsack(mixing, cells, costs, np.inf) == derive(mixing, cells)


def all_cells(topology):
    """Every discrete cell, by brute force."""
    nodes = []
    for node in range(topology.nodes):
        rows = range(topology.edges)[topology.rows(node)]
        nodes.append(
            [
                list(zip(names, sources, strict=True))
                for sources in itertools.combinations(range(len(rows)), topology.kept(node))
                for names in itertools.product(*(topology.choices(rows[s]) for s in sources))
            ]
        )
    return ({"cell": list(chosen)} for chosen in itertools.product(*nodes))


@pytest.mark.parametrize(
    "topology",
    [
        CellTopology(2, 2, 2, ("none", "a", "b", "c")),
        CellTopology(1, 3, 1, ("a", "none", "b", "c")),
        CellTopology(1, 3, None, ("none", "a", "b"), none_competes=True),
    ],
)
def test_it_finds_what_trying_all_cells_finds(topology):
    cells = {"cell": topology}
    for seed in range(3):
        random = np.random.default_rng(seed)
        shape = (topology.edges, topology.columns)
        mixing = {"cell": softmax(2.0 * random.normal(size=shape))}
        costs = Costs(base=3, tables={"cell": random.integers(1, 30, shape)})
        tried = [(costs.of(e, cells), score(e, mixing, cells)) for e in all_cells(topology)]
        assert min(cost for cost, _ in tried) == smallest(cells, costs)
        most = max(cost for cost, _ in tried)
        for budget in np.linspace(smallest(cells, costs), most, 12).astype(int).tolist():
            edges = within_budget(mixing, cells, costs, budget)
            best = max(value for cost, value in tried if cost <= budget)
            assert costs.of(edges, cells) <= budget
            assert score(edges, mixing, cells) == pytest.approx(best, rel=1e-12)
        assert within_budget(mixing, cells, costs, smallest(cells, costs) - 1) is None


def test_all_of_nasbench201():
    topology = find_space("nasbench201").topologies["cell"]
    random = np.random.default_rng(0)
    mixing = softmax(random.normal(size=(6, 5)))
    table = np.array([[0, 0, 3_932_160, 35_389_440, 0]] * 6)
    costs = Costs(base=7_783_050, tables={"cell": table})
    numbers = np.array(list(itertools.product(range(5), repeat=6)))
    scores = np.log(mixing)[np.arange(6), numbers].sum(axis=1)
    sizes = 7_783_050 + table[np.arange(6), numbers].sum(axis=1)
    for budget in (7_783_050, 12_000_000, 50_000_000, 90_000_000, 10**9):
        edges = within_budget({"cell": mixing}, {"cell": topology}, costs, budget)
        assert costs.of(edges, {"cell": topology}) <= budget
        best = scores[sizes <= budget].max()
        assert score(edges, {"cell": mixing}, {"cell": topology}) == pytest.approx(best, rel=1e-12)


def test_weights_of_0_have_no_logarithm_and_are_no_choice():
    cells = {"cell": CellTopology(1, 2, 1, ("none", "a", "b"))}
    mixing = {"cell": np.array([[0.5, 0.0, 0.5], [0.0, 0.0, 0.0], [0.2, 0.8, 0.0]])}
    costs = Costs(base=0, tables={"cell": np.array([[0, 1, 2]] * 3)})
    assert knapsack(mixing, cells, costs, 3)["cell"] == [[("b", 0)], [("a", 1)]]
    # Where nothing else is left, it is what there is.
    assert knapsack(mixing, cells, costs, 2)["cell"] == [[("a", 0)], [("a", 1)]]
