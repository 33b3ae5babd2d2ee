"""Every row of docs/methods.md: its command is run in each space, or refused in one sentence.

`--mode=search --method=NAME` at toy size, in this process and, but for curvatures of texts, without
compiling functions. It takes some seconds each: all but a few are run with the long tests.
"""

import re

import pytest

from tests.support import in_process
from tests.support.paths import ROOT
from tf_darts.config.methods import methods
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.runs import search
from tf_darts.runtime.callback import Callback

pytestmark = pytest.mark.skipif(
    not (ROOT / "docs").exists(), reason="not in a checkout, so the document is not there"
)

SHORT = {"batch_size": 4, "steps_per_epoch": 1, "epochs": 1, "evaluation_batch_size": 10}
IMAGES = {"dataset": "digits", "train_examples": 20, "channels": 2}
SPACES = {
    "recurrent": {"dataset": "text", "units": 8, "bptt": 4, "weight_learning_rate": 0.1},
    "nasbench201": IMAGES | {"space": "nasbench201", "cells_per_stage": 1},
    "convolutional": IMAGES | {"layers": 3},
}
CURVATURE = {f"eigenvalue_{name}": 1 for name in ("epochs", "batches", "window", "delta")}
CURVATURE |= {"eigenvalue_start": 0, "epochs": 4}
STAGES = {"warm_up_epochs": 1, "epochs": 2}
# What a method needs besides, to be as short as that.
OWN = {
    "pc_darts": {"warm_up_epochs": 1, "epochs": 2, "channels": 4},
    "sgas": {"greedy_warm_up": 0, "greedy_epochs": 1},
    "robust_darts_es": CURVATURE,
    "robust_darts_ada": CURVATURE,
    "darts_pt": {"perturbation_epochs": 1, "perturbation_batches": 1},
    "rsps": {"sampled_cells": 2, "sampled_batches": 1, "sampled_finalists": 1},
    "p_darts": STAGES,
    "robust_darts_dp": {"search_cutout": 4, "epochs": 2},
}
OF_SPACE = {
    ("sgas", "nasbench201"): {"epochs": 7},
    ("sgas", "convolutional"): {"epochs": 9},
    ("sgas", "recurrent"): {"epochs": 9},
    ("p_darts", "nasbench201"): {"stage_settings": "cells_per_stage:1/1/2"},
    ("dr_nas", "convolutional"): STAGES | {"channels": 12},
    ("p_darts", "convolutional"): {"stage_settings": "layers:3/4/5,skip_dropout:.1/.4/.7"},
}
# Where a method is not for a space, and why.
REFUSED = {
    ("pc_darts", "recurrent"): "the edges of the space recurrent do not offer",
    ("darts_minus", "recurrent"): "the edges of the space recurrent do not offer",
    ("p_darts", "recurrent"): "the edges of the space recurrent do not offer",
    ("robust_darts_dp", "recurrent"): "the edges of the space recurrent do not offer",
}
# Of each kind of relaxation one; tests/methods/test_members.py has toy searches of others.
EVERY_DAY = {"fair_darts", "rsps", "smooth_darts_rs", "snas"}


def rows():
    """The names in the first column of the first table."""
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    table = text.partition("## All methods")[2].partition("\n\n*Cost*")[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def asked(name, space):
    given = SHORT | SPACES[space] | OWN.get(name, {}) | OF_SPACE.get((name, space), {})
    if name == "p_darts" and space == "convolutional":
        del given["layers"]  # each stage has its own
    if name == "p_darts" and space == "nasbench201":
        del given["cells_per_stage"]
    if space == "recurrent":
        given.pop("channels", None)
    return {"mode": "search", "method": name} | given


def test_the_table_has_every_method():
    ours = {m.name for m in methods().values() if m.name != "exploring_darts"}
    assert sorted(rows()) == sorted(ours)


@pytest.mark.parametrize(("name", "space"), REFUSED)
def test_where_a_method_is_not_for_a_space_a_sentence_says_so(name, space):
    with pytest.raises(UserError, match=REFUSED[name, space]):
        configure(asked(name, space))


def runs():
    """Each row in each space that it is for."""
    for name in rows():
        first = next(space for space in SPACES if (name, space) not in REFUSED)
        for space in SPACES:
            if (name, space) not in REFUSED:
                every_day = space == first and name in EVERY_DAY
                marks = [] if every_day else [pytest.mark.long]
                yield pytest.param(name, space, marks=marks, id=f"{name}-{space}")


class Silent(Callback):
    """Draws nothing, which takes longer than the search."""

    def __init__(self, *_):
        pass


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts")
    for part in ("train", "valid", "test"):
        (path / f"{part}.txt").write_text(f" the {part} <unk> sat on the mat \n" * 10)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("name", "space"), runs())
def test_a_row_is_run(uncounted, undrawn, tmp_path, texts, monkeypatch, name, space):
    monkeypatch.setattr(search, "SearchReport", Silent)
    given = asked(name, space) | {"run_dir": tmp_path}
    given |= {"data_dir": texts} if space == "recurrent" else {}
    words = [f"--{key}={value}" for key, value in given.items()]
    # Second derivatives of a loop, thirty products for each eigenvalue, are too slow otherwise.
    eagerly = (space, OWN.get(name)) != ("recurrent", CURVATURE)
    status, out, err = in_process.run(in_process.MAIN, *words, eagerly=eagerly)
    assert status == 0, err[-500:]
    assert "Found after" in out and (tmp_path / "result.json").exists()
