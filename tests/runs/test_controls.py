"""Searches of which the right answer is known, and their negative controls, in a few steps."""

import json
import re

import numpy as np
import pytest

from tf_darts.cli import modes
from tf_darts.config.presets import computed_settings, configure
from tf_darts.runs.image_data import load_images, search_part
from tf_darts.runs.search import run_search
from tf_darts.runtime.signals import StopRequest

PLANTED = {"mode": "search", "dataset": "planted", "space": "planted"}
MINI = {"mode": "search", "dataset": "digits", "space": "s4_mini"}
FEW = {"channels": 2, "batch_size": 4, "train_examples": 20, "epochs": 1, "steps_per_epoch": 1}


@pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning")
@pytest.mark.parametrize(
    ("given", "odds"),
    [(PLANTED, 0.25), (MINI | {"rules": "frozen_alphas", "permute_labels": True}, 0.5)],
    ids=["planted", "s4_mini"],
)
def test_a_search_says_how_much_it_found(eagerly, tmp_path, capsys, given, odds):
    modes.search(configure(given | FEW | {"run_dir": str(tmp_path)}))
    result = json.loads((tmp_path / "result.json").read_text())["found"]
    edges = round(1 / odds) + 2 if odds == 0.25 else 5
    assert result["edges"] == edges and (result["right"] == 0) == (result["p"] == 1.0)
    said = re.search(
        r"^Of the known answer, (\d) of (\d) edges have .* \(p = ", capsys.readouterr().out, re.M
    )
    assert [int(number) for number in said.groups()] == [result["right"], result["edges"]]


@pytest.mark.long
@pytest.mark.parametrize(("given", "edges"), [(PLANTED, 6), (MINI, 5)], ids=["planted", "s4_mini"])
def test_first_order_finds_what_is_to_be_found(tmp_path, given, edges):
    whole = given | {"method": "darts_first", "run_dir": str(tmp_path)}
    found = run_search(configure(whole), StopRequest()).answer
    assert (found.right, found.edges) == (edges, edges)


def test_permuted_labels_are_the_same_ones_in_another_order():
    plain, permuted, other = (
        search_part(configure(PLANTED | more)).data
        for more in ({}, {"permute_labels": True}, {"permute_labels": True, "seed": 1})
    )

    def labels(data):
        return np.concatenate([data.train_labels, data.validation_labels])

    np.testing.assert_array_equal(np.sort(labels(permuted)), np.sort(labels(plain)))
    for one in (plain, other):
        assert np.mean(labels(permuted) == labels(one)) < 0.05  # 1 of 64 classes
    again = search_part(configure(PLANTED | {"permute_labels": True})).data
    assert again.fingerprint() == permuted.fingerprint() != plain.fingerprint()
    assert len(load_images(configure(PLANTED)).labels) == 8192


def test_a_run_knows_whether_its_labels_are_permuted():
    assert computed_settings(configure(PLANTED | {"permute_labels": True}))["permute_labels"]
    assert "permute_labels" not in computed_settings(configure(PLANTED))
