"""Random cells: uniform, legal, a function of their seed."""

import collections
import itertools

import numpy as np
import pytest
from scipy import stats

from tf_darts.cells.genotype import SPACES
from tf_darts.cells.random_cells import random_cells, random_edges
from tf_darts.cells.topologies import TOPOLOGIES
from tf_darts.cells.topology import CellTopology


def test_uniform_over_all_discrete_cells():
    """In a space small enough to count, every cell comes up equally often."""
    topology = CellTopology(inputs=2, nodes=2, keep=2, operations=("none", "a", "b"))
    node2 = [((0, x), (1, y)) for x, y in itertools.product("ab", repeat=2)]
    node3 = [
        ((p, x), (q, y))
        for p, q in itertools.combinations(range(3), 2)
        for x, y in itertools.product("ab", repeat=2)
    ]
    cells = set(itertools.product(node2, node3))
    assert len(cells) == 4 * 12
    random, draws = np.random.default_rng(0), 48 * 200
    counts = collections.Counter()
    for _ in range(draws):
        edges = random_edges(topology, random)
        counts[tuple(tuple((source, name) for name, source in node) for node in edges)] += 1
    assert counts.keys() == cells
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


@pytest.mark.parametrize("space", TOPOLOGIES)
def test_each_choice_of_the_real_spaces_is_uniform(space):
    """Predecessors and operations of every node, over the cells of many seeds."""
    sources, operations = collections.defaultdict(collections.Counter), collections.Counter()
    for seed in range(1200):
        for kind, nodes in random_cells(TOPOLOGIES[space], seed).items():
            for i, node in enumerate(nodes):
                sources[kind, i][tuple(source for _, source in node)] += 1
                operations.update(name for name, _ in node)
    competes = any(topology.none_competes for topology in TOPOLOGIES[space].values())
    assert ("none" in operations) == competes
    for (kind, i), counter in sources.items():
        topology = TOPOLOGIES[space][kind]
        sets = list(itertools.combinations(range(topology.inputs + i), topology.kept(i)))
        assert set(counter) == set(sets)
        if len(sets) > 1:
            assert stats.chisquare(list(counter.values())).pvalue > 1e-4, (kind, i)
    assert stats.chisquare(list(operations.values())).pvalue > 1e-3


@pytest.mark.parametrize("space", TOPOLOGIES)
def test_a_seed_is_a_cell(space):
    make = SPACES[space].from_cells
    first, again, other = (make(random_cells(TOPOLOGIES[space], seed)) for seed in (3, 3, 4))
    assert first == again and first != other
    assert SPACES[space].from_dict(first.to_dict()) == first
