"""The derivation under a budget: a cell that keeps it, or a sentence."""

import json

import numpy as np
import pytest

from tests.support.in_process import MAIN, run, sentence
from tf_darts.bilevel.epoch_rules import SearchFacts
from tf_darts.cells.costs import Costs
from tf_darts.cells.space import find_space
from tf_darts.cells.topology import CellTopology
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.methods.budget import Budget

CELLS = {"cell": CellTopology(1, 2, 1, ("none", "a", "b"))}
FACTS = SearchFacts(
    CELLS, 2, costs=lambda: Costs(base=100, tables={"cell": np.array([[0, 10, 4]] * 3)})
)
MIXING = {"cell": np.array([[0.1, 0.8, 0.1], [0.1, 0.7, 0.2], [0.1, 0.5, 0.4]])}


@pytest.mark.parametrize(
    ("budget", "names"), [(0, "aa"), (120, "aa"), (119, "ab"), (113, "bb"), (108, "bb")]
)
def test_it_gives_up_what_costs_least(budget, names):
    derivation = Budget(max_multiply_adds=budget).of(FACTS)
    nodes = derivation.edges(MIXING, CELLS)["cell"]
    assert "".join(name for node in nodes for name, _ in node) == names


def test_a_budget_that_no_cell_keeps_names_the_smallest():
    with pytest.raises(UserError, match=r"the smallest has 108 multiply-adds.*=108"):
        Budget(max_multiply_adds=107).of(FACTS)


def test_a_search_in_stages_may_not_drop_the_smallest_cell():
    """Of equally cheap operations the strongest is needed."""
    costs = Costs(base=0, tables={"cell": np.array([[0, 10, 0], [7, 7, 9], [5, 1, 2]])})
    cells = {"cell": CellTopology(1, 2, None, ("skip_connect", "a", "b"))}
    derivation = Budget(max_multiply_adds=20).of(SearchFacts(cells, 2, costs=lambda: costs))
    mixing = {"cell": np.array([[0.1, 0.5, 0.4], [0.3, 0.2, 0.5], [0.6, 0.1, 0.3]])}
    needed = derivation.needed(mixing, cells)["cell"]
    np.testing.assert_array_equal(needed, [[0, 0, 1], [1, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dataset": "cifar10"}, "needs a budget; give --max_multiply_adds=N"),
        (
            {"dataset": "ptb", "max_multiply_adds": 10},
            "the space recurrent has no costs of operations: every cell has the same matrix",
        ),
    ],
)
def test_wrong_input_is_a_sentence(settings, words):
    with pytest.raises(UserError, match=words):
        configure({"mode": "search", "derivation": "budget", **settings})


def test_a_space_that_says_no_costs(monkeypatch):
    record = find_space("nasbench201")
    monkeypatch.setitem(vars(record), "operation_costs", None)
    monkeypatch.setitem(vars(record), "why_no_costs", type(record).why_no_costs)
    asked = {"mode": "search", "dataset": "cifar10", "space": "nasbench201"}
    with pytest.raises(UserError, match=r"no costs of operations: its record .* says none"):
        configure(asked | {"derivation": "budget", "max_multiply_adds": 10**9})


@pytest.mark.slow
def test_a_search_ends_within_it(uncounted, undrawn, tmp_path):
    """Refused before there is a directory; with what the sentence says it runs."""
    small = "--epochs=1 --steps_per_epoch=1 --batch_size=4 --train_examples=20 --channels=2"
    small += " --evaluation_batch_size=10 --cells_per_stage=1 --space=nasbench201"
    asked = [*small.split(), "--mode=search", "--dataset=digits", "--derivation=budget"]
    asked += [f"--run_dir={tmp_path / 'run'}", "--alpha_scale=3"]
    status, _, err = run(MAIN, *asked, "--max_multiply_adds=7", eagerly=True)
    said = sentence(err, "tf_darts")
    assert status == 2 and not (tmp_path / "run").exists()
    least = int(said.rpartition("=")[2].rstrip("."))
    status, out, err = run(MAIN, *asked, f"--max_multiply_adds={least}", eagerly=True)
    assert status == 0, err
    assert f"{least:,} multiply-adds an image" in out
    cell = json.loads((tmp_path / "run" / "genotype.json").read_text())["cell"]
    assert not {name for name, _ in cell["nasbench201"]} & {"nor_conv_1x1", "nor_conv_3x3"}


@pytest.mark.long
def test_a_search_in_stages_ends_within_it(uncounted, undrawn, tmp_path):
    """What the first stage drops is not what the last one needs."""
    small = "--epochs=1 --steps_per_epoch=1 --batch_size=4 --train_examples=20 --channels=2"
    small += " --evaluation_batch_size=10 --cells_per_stage=1 --space=nasbench201"
    asked = [*small.split(), "--mode=search", "--dataset=digits", "--derivation=budget"]
    asked += ["--rules=progressive_shrinking", "--stage_operations=3/2", "--alpha_scale=3"]
    asked += [f"--run_dir={tmp_path / 'run'}", "--method=darts_first"]
    status, _, err = run(MAIN, *asked, "--max_multiply_adds=7", eagerly=True)
    least = int(sentence(err, "tf_darts").rpartition("=")[2].rstrip("."))
    status, out, err = run(MAIN, *asked, f"--max_multiply_adds={least}", eagerly=True)
    assert status == 0, err
    assert f"{least:,} multiply-adds an image" in out
