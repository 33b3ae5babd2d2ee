"""P-DARTS' limit on skip connections."""

import dataclasses
import json

import numpy as np
import pytest

from tf_darts.cells.space import find_space
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.methods.skip_limit import SkipLimit

CELLS = find_space("convolutional").topologies


def derived(normal, reduce, **settings):
    edges = SkipLimit(**settings).edges({"normal": normal, "reduce": reduce}, CELLS)
    return {
        kind: [[name, source] for node in nodes for name, source in node]
        for kind, nodes in edges.items()
    }


def skips(cell):
    return sum(name == "skip_connect" for name, _ in cell)


def test_golden_cells(shared):
    cases = json.loads((shared / "golden" / "derivations.json").read_text())["skip_limit"]
    for case in cases:
        logits = np.array(case["alpha"])
        weights = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        found = derived(weights, weights, most_skips=case["limit"])
        assert found["normal"] == case["cell"], case["note"]
        assert skips(found["normal"]) == case["skips"]
        # The reduction cell has no limit.
        assert found["reduce"] == case["cell_without_limit"]


@pytest.mark.parametrize("limit", range(9))
def test_exactly_so_many_where_every_skip_is_the_largest(limit):
    weights = np.random.default_rng(0).uniform(0.0, 0.1, (14, 8))
    weights[:, 3] += 0.3
    before = weights.copy()
    found = derived(weights, weights, most_skips=limit)
    assert (skips(found["normal"]), skips(found["reduce"])) == (limit, 8)
    assert (weights == before).all()


OF_THE_TABLE = find_space("nasbench201").topologies


def test_none_goes_first_also_where_it_competes():
    (topology,) = OF_THE_TABLE.values()
    assert topology.none_competes and topology.operations[0] == "none"
    weights = np.full([6, 5], 0.1)
    weights[:, 0] = 0.6  # of `none`
    weights[range(6), [1, 1, 1, 2, 3, 4]] = 0.2
    ((cell,),) = [SkipLimit(most_skips=3).edges({"cell": weights}, OF_THE_TABLE).values()]
    kept = [name for node in cell for name, _ in node]
    assert kept == [topology.operations[k] for k in (1, 1, 1, 2, 3, 4)]


def test_an_edge_of_none_and_a_skip_beyond_the_limit_is_none():
    (topology,) = OF_THE_TABLE.values()
    names = (("skip_connect", "none"),) * 6  # of equals the first would be the skip connection
    cells = {"cell": dataclasses.replace(topology, operations=names)}
    weights = np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6], [0.5, 0.5]])
    edges = SkipLimit(most_skips=2).edges({"cell": weights[:, ::-1]}, cells)["cell"]
    kept = [name == "skip_connect" for node in edges for name, _ in node]
    assert kept == [False, True, True, False, False, False]


def test_skips_that_are_the_only_choice_stay():
    """As where stages leave every edge of a recurrent cell an identity, and `none`, or more."""
    (topology,) = find_space("recurrent").topologies.values()
    weights = np.full([topology.edges, 2], 0.5)

    def identities(*operations):
        cells = {"cell": dataclasses.replace(topology, operations=tuple(operations))}
        nodes = SkipLimit(most_skips=1).edges({"cell": weights}, cells)["cell"]
        return sum(name == "identity" for edges in nodes for name, _ in edges)

    forced, free = ("none", "identity"), ("tanh", "identity")
    assert identities(*[forced] * topology.edges) == 8
    # The first node has one edge, the others can do without.
    assert identities(forced, *[free] * (topology.edges - 1)) == 1


def test_a_search_without_skips_has_nothing_to_limit():
    asked = {"mode": "search", "dataset": "cifar10", "derivation": "skip_limit"}
    assert configure(asked | {"operations": "s2"}).label == "darts+skip_limit"
    with pytest.raises(UserError, match="no skip connection that could be limited"):
        configure(asked | {"operations": "sep_conv_3x3,max_pool_3x3"})
