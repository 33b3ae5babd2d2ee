"""What a search shows in TensorBoard."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2, metadata

from tf_darts.cells.genotype import ConvolutionalGenotype, RecurrentGenotype
from tf_darts.cells.topologies import TOPOLOGIES
from tf_darts.cells.topology import CellTopology
from tf_darts.report.search_report import SearchReport

CELL = CellTopology(1, 2, 1, (("tanh", "relu"), ("relu", "none"), ("tanh", "relu")))
SUPERNET = SimpleNamespace(
    score="accuracy", score_mode="max", cells={"cell": CELL}, genotype_class=RecurrentGenotype
)
RECORD = {
    "epoch": 1,
    "step": 2,
    "genotype": RecurrentGenotype((("tanh", 0), ("relu", 1)), (1, 2)).to_dict(),
    "validation_loss": 2.0,
    "validation_accuracy": 70.0,
    "entropy": 1.0,
    "monitors": {"skips/cell": 3.0, "eigenvalue/largest": 0.5},
    "mixing": {"cell": [[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]]},
}
EDGES = {"0→1": ("tanh", "relu"), "0→2": ("relu", "none"), "1→2": ("tanh", "relu")}


@pytest.fixture
def events(tmp_path):
    report = SearchReport(tmp_path, SUPERNET, {"batch_size": 4})
    report.on_start(0, 2)
    for step in (1, 2):
        report.on_step(step, {"train_loss": 2.0, "train_accuracy": 50.0, "learning_rate": 0.1})
    report.on_epoch(RECORD, [RECORD])
    report.on_end()
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0})
    events.Reload()
    return events


def value(events, tag):
    return tf.make_ndarray(events.Tensors(tag)[-1].tensor_proto).item()


def test_mixing_weights_are_curves_by_edge_and_operation(events):
    tags = {tag for tag in events.Tags()["tensors"] if tag.startswith("supernet_mixing_")}
    found = {tag.removeprefix("supernet_mixing_cell/"): value(events, tag) for tag in tags}
    weights = dict(zip(EDGES, RECORD["mixing"]["cell"], strict=True))
    assert found == {
        f"{edge}/{operation}": weight
        for edge, operations in EDGES.items()
        for operation, weight in zip(operations, weights[edge], strict=True)
    }


def test_the_curves_of_an_edge_share_a_chart(events):
    layout = layout_pb2.Layout.FromString(value(events, metadata.CONFIG_SUMMARY_TAG))
    (category,) = layout.category
    assert category.title == "mixing weights of cell"
    charts = {chart.title: list(chart.multiline.tag) for chart in category.chart}
    assert list(charts) == list(EDGES) and len(charts["0→2"]) == 2
    assert charts["0→1"][1].replace("\\", "") == "^supernet_mixing_cell/0→1/relu$"


def test_edges_are_called_as_in_the_pictures(tmp_path):
    cells = TOPOLOGIES["convolutional"]
    supernet = SUPERNET.__class__(**vars(SUPERNET) | {"cells": cells})
    supernet.genotype_class = ConvolutionalGenotype
    report = SearchReport(tmp_path, supernet, {"batch_size": 4})
    charts = report._charts()["mixing weights of normal"]
    assert [*charts][:5] == ["c_k-2→0", "c_k-1→0", "c_k-2→1", "c_k-1→1", "0→1"]
    mixing = {kind: np.full([cell.edges, cell.columns], 0.125) for kind, cell in cells.items()}
    tags = report._mixing({"mixing": mixing})
    assert {tag for chart in report._charts().values() for e in chart.values() for tag in e} == {
        *tags
    }


def test_a_supernets_curves_have_names_of_their_own(events):
    tags = set(events.Tags()["tensors"])
    assert tags >= {
        "supernet_loss/train",
        "supernet_loss/validation",
        "supernet_accuracy/train",
        "supernet_accuracy/validation",
        "supernet_optimization/learning_rate",
        "supernet_performance/peak_gigabytes",
        "supernet_performance/steps_per_second",
        "supernet_performance/examples_per_second",
    }
    shared = ("loss", "accuracy", "optimization", "gradients", "performance")
    assert not [tag for tag in tags if tag.partition("/")[0] in shared]


def test_skips_and_monitors_are_curves(events):
    assert value(events, "skips/cell") == 3.0 and value(events, "eigenvalue/largest") == 0.5
