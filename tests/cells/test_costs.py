"""Costs of operations against the counts of networks, to the unit."""

import dataclasses

import numpy as np
import pytest

from tf_darts.cells.costs import Costs
from tf_darts.cells.genotype import genotype_class
from tf_darts.cells.random_cells import random_cells
from tf_darts.cells.space import find_space, resolved
from tf_darts.config.presets import preset_for
from tf_darts.data.facts import ImageFacts
from tf_darts.methods.sampled_cells import one_hot
from tf_darts.spaces.nasbench201 import strings


def costs_of(space, dataset="cifar10", shape=(32, 32, 3), operations="", **settings):
    """The record, its topologies, the costs, and a function that counts the network of a cell."""
    record, facts = find_space(space), ImageFacts(shape, 10)
    trained = dataclasses.replace(preset_for("train", dataset, space), **settings)
    cells = record.narrowed(operations)
    costs = resolved(record.operation_costs)(trained, facts, cells)

    def counted(edges):
        cell = genotype_class(space).from_cells(edges)
        return resolved(record.counts)(trained, cell, facts)["multiply-adds an image"]

    return cells, costs, counted


def both(edges, cells, costs):
    """The cell's cost, and the expectation at its one-hot table, in which edges may be absent."""
    return costs.of(edges, cells), costs.expected(one_hot(edges, cells))


@pytest.mark.parametrize(
    ("count", "settings"),
    [
        (2, {}),
        (24, {"layers": 3}),
        (2, {"dataset": "imagenet2012", "shape": (224, 224, 3)}),
        (4, {"shape": (9, 13, 1), "channels": 6, "layers": 7, "auxiliary_weight": 0.0}),
        (4, {"operations": "s1", "layers": 4}),
        (2, {"operations": "sep_conv_7x7,none,conv_7x1_1x7", "layers": 4}),
    ],
)
def test_convolutional_cells_have_the_sum_of_their_edges(count, settings):
    cells, costs, counted = costs_of("convolutional", **settings)
    for seed in range(count):
        edges = random_cells(cells, seed)
        assert both(edges, cells, costs) == (counted(edges),) * 2


def test_a_convolutional_edge_by_its_formula():
    """sep_k: 2(k²C + C²)n, dil_k: (k²C + C²)n, skip at stride 2: C²n; n positions come out."""
    cells, costs, _ = costs_of("convolutional", channels=16, layers=3)
    names = cells["normal"].operations

    def cost(name, c, *, halves=False):
        kind, _, size = name.rpartition("_")
        k = int(size[0]) if size[0].isdigit() else 0
        one = k * k * c + c * c if kind in ("sep_conv", "dil_conv") else 0
        skip = c * c if name == "skip_connect" and halves else 0
        return one * (2 if kind == "sep_conv" else 1) + skip

    # Of three cells the first is normal, at 16 channels; the others reduce, to 16² and 8² pixels.
    normal = [cost(name, 16) * 32 * 32 for name in names]
    np.testing.assert_array_equal(costs.tables["normal"], [normal] * 14)
    reduced = [
        [
            sum(cost(name, c, halves=source < 2) * pixels for c, pixels in ((32, 256), (64, 64)))
            for name in names
        ]
        for node in range(4)
        for source in range(2 + node)
    ]
    np.testing.assert_array_equal(costs.tables["reduce"], reduced)


def test_every_cell_of_nasbench201():
    cells, costs, counted = costs_of("nasbench201")
    assert costs.base == 7_783_050
    uniform = {"cell": np.full([6, 5], 0.2)}
    assert costs.expected(uniform) == pytest.approx(54_968_970, abs=1e-6)
    seen = {}
    for found in strings.all_architectures():
        edges = {"cell": [[(name, k) for k, name in enumerate(node)] for node in _nodes(found)]}
        n = strings.convolutions(found)
        wanted = seen.setdefault(n, None) or counted(edges)  # of equal numbers once
        seen[n] = wanted
        assert both(edges, cells, costs) == (wanted, wanted)
    assert len(seen) == 28  # 0 to 6 of both together


def _nodes(names):
    return [names[:1], names[1:3], names[3:]]


def test_the_base_is_what_is_left_of_a_total():
    cells = find_space("nasbench201").topologies
    edges = random_cells(cells, 3)
    tables = {"cell": np.arange(30).reshape(6, 5)}
    costs = Costs.of_total(1000, edges, tables, cells)
    assert costs.of(edges, cells) == 1000 and costs.base == 1000 - Costs(base=0, tables=tables).of(
        edges, cells
    )


def test_a_recurrent_cell_costs_what_any_does():
    record = find_space("recurrent")
    assert record.operation_costs is None and "every cell" in record.why_no_costs
