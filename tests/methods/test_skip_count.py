"""The monitor of skip connections, and where it is seen."""

import json

import numpy as np

from tests.support.toy_search import search
from tf_darts.bilevel.epoch_rules import SearchProbe
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells.space import find_space
from tf_darts.cells.topology import CellTopology
from tf_darts.methods.skip_count import SkipCount


def counted(mixing, cells):
    edges = derive(mixing, cells)
    nothing = {"evaluate": None, "hessian_products": None, "parameters": 0}
    return SkipCount().measure(SearchProbe(cells, 1, 1, mixing, edges, **nothing))


def test_golden_cells(shared):
    golden = json.loads((shared / "golden" / "derivations.json").read_text())["skip_count"]
    cells = find_space("convolutional").topologies
    stops = None
    for epoch, record in enumerate(golden["epochs"]):
        logits = np.array(record["alpha_normal"])
        weights = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        skips = counted({"normal": weights, "reduce": weights}, cells)["skips/normal"]
        assert skips == record["skips"]
        if stops is None and skips >= golden["limit"]:
            stops = epoch
    assert stops == golden["stops_at"]


def test_a_cell_that_cannot_skip_is_not_counted():
    cells = {"cell": CellTopology(1, 1, 1, ("none", "conv"))}
    assert counted({"cell": np.ones([1, 2])}, cells) == {}


def test_every_record_of_a_search_has_it(tmp_path):
    _, _, history = search(tmp_path)
    for record in history:
        names = [name for name, _ in record["genotype"]["recurrent"]]
        assert record["monitors"]["skips/cell"] == names.count("identity")
