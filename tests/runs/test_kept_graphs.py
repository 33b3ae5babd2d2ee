"""Which runs have their traced graphs in common."""

import sys

import keras
import pytest

from tf_darts.config.presets import configure
from tf_darts.runs.opening import kept_graphs
from tf_darts.runtime import graph_store


@pytest.fixture(autouse=True)
def a_program(monkeypatch):
    """As where a file was started, which a process of pytest's may not be."""
    monkeypatch.setattr(sys.modules["__main__"], "__file__", __file__, raising=False)


def file_of(directory, shape=(2, 3), cells="those of the space", **settings):
    """Where a search's graph is kept."""
    config = configure(
        {"mode": "search", "dataset": "digits", "graph_cache": str(directory)} | settings
    )
    variables = [keras.Variable("zeros", shape=shape, name="kernel")]
    with kept_graphs(config, variables, cells=cells):
        return graph_store._open.file("gradient")


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        ({"run_dir": "runs/other"}, True),
        ({"seed": 3}, False),  # which `noise` has in its graph
        ({"channels": 3}, False),
        ({"rematerialize": True}, False),
        ({"method": "darts_first"}, False),
        ({"shape": (3, 2)}, False),
        ({"cells": "others"}, False),
    ],
)
def test_runs_of_one_configuration_have_the_same_graphs(settings, same, tmp_path):
    assert (file_of(tmp_path, **settings) == file_of(tmp_path)) == same


def test_elsewhere_nothing_is_shared(tmp_path):
    assert file_of(tmp_path / "a").name == file_of(tmp_path / "b").name
    assert graph_store._open is None
