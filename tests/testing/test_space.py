"""Every space passes the check that others' are held to; what is wrong is one sentence."""

import dataclasses
import runpy

import pytest

from tests.support import toy_space
from tests.support.paths import ROOT
from tests.support.registries import forget_members
from tf_darts.cells import space as registry
from tf_darts.cells.table_form import TableForm
from tf_darts.cells.topology import CellTopology
from tf_darts.config.search import SearchConfig
from tf_darts.data.facts import ImageFacts
from tf_darts.testing import check_space
from tf_darts.testing import space as checks

OWN = str(ROOT / "examples" / "own_space.py")
SMALL = {
    "convolutional": (
        {"channels": 2, "layers": 3, "operations": "skip_connect,sep_conv_3x3"},
        {"channels": 2, "layers": 3, "auxiliary_weight": 0.0},
    ),
    "recurrent": ({"units": 4}, {"units": 4}),
    "nasbench201": ({"channels": 2, "cells_per_stage": 1},) * 2,
    "planted": ({"channels": 2},) * 2,
    "s4_mini": ({"channels": 2, "layers": 1},) * 2,
    "bench": ({"width": 2, "depth": 1}, {"width": 2, "depth": 1}),
}


@pytest.fixture
def spaces(monkeypatch):
    """The registry with the example's space, as long as a test lives."""
    forget_members(monkeypatch)
    runpy.run_path(OWN)
    return registry._SPACES


_NAMES = [
    # Their supernets are checked in test_our_supernets.py.
    pytest.param(name, marks=pytest.mark.long) if name in ("convolutional", "recurrent") else name
    for name in SMALL
]


@pytest.mark.slow
@pytest.mark.parametrize("name", _NAMES)
def test_ours_and_the_example_pass(spaces, name):
    search, training = SMALL[name]
    check_space(name, search=search, training=training)


def test_no_space_is_forgotten(spaces):
    assert set(spaces) == set(SMALL)


def others(cells):
    return lambda *_: type("Other", (), {"cells": cells})()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"search": SearchConfig()}, "its search is SearchConfig, no ImageSearchConfig of images"),
        ({"presets": {("fly", "digits"): {}}}, r"presets has .'fly', 'digits'.; no such mode"),
        (
            {"graphs": {"cell": lambda: CellTopology(1, 2, 1, ("none",))}},
            r"the operations of 'cell' are \('none',\); one must be another",
        ),
        ({"score": ("beauty", "max")}, "has the score .'accuracy', 'max'., the space .'beauty'"),
        (
            {"table": TableForm(written=str, read=repr, alike=len, alike_by="length", cells=1)},
            "its table reads ",
        ),
        ({"supernet": others({})}, "its supernet has the topologies {}, and was given {'cell'"),
    ],
)
def test_what_is_wrong_is_one_sentence(spaces, changes, sentence):
    bench = spaces["bench"]
    small = dataclasses.replace(bench.search, width=2, depth=1)
    spaces["bench"] = wrong = dataclasses.replace(bench, **({"search": small} | changes))
    with pytest.raises(AssertionError, match=f"the space 'bench'.*{sentence}") as error:
        check_space(wrong)
    assert "\n" not in str(error.value)


def test_costs_that_are_not_those_of_the_counts():
    record = registry.find_space("nasbench201")
    arguments = record.training, record.topologies, ImageFacts((8, 8, 3), 3), "the space"
    checks._check_costs(record, *arguments)

    def dearer(config, facts, cells):
        costs = registry.resolved(record.operation_costs)(config, facts, cells)
        return dataclasses.replace(costs, base=costs.base + 1)

    wrong = dataclasses.replace(record, operation_costs=dearer)
    with pytest.raises(AssertionError, match=r"the space: by operation_costs a cell costs \d+"):
        checks._check_costs(wrong, *arguments)


def test_a_space_that_nobody_knows():
    with pytest.raises(AssertionError, match="the space 'toy' is not registered"):
        check_space(toy_space.space())
