"""The example's estimate of the hypergradient: its closed form, and whole searches by it."""

import json
import runpy

import numpy as np
import pytest
import tensorflow as tf

from tests.support import in_process
from tests.support.paths import ROOT
from tests.support.registries import forget_members
from tf_darts.bilevel.hypergradient import exact
from tf_darts.bilevel.loss import PlainLoss
from tf_darts.config.hypergradients import HYPERGRADIENTS, register_hypergradient
from tf_darts.config.methods import register_method
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.testing import check_method

OWN = ROOT / "examples" / "own_hypergradient.py"
CURVATURE = tf.constant([0.5, 1.5, 3.0], tf.float64)
RATE = 0.2


@pytest.fixture
def loaded(monkeypatch):
    forget_members(monkeypatch)
    return runpy.run_path(str(OWN))


def train(weights, alphas):
    """½ Σ h·w² - Σ α·w, whose mixed derivative is -1."""
    [w] = weights
    return tf.reduce_sum(0.5 * CURVATURE * w**2 - alphas["cell"] * w), ()


def validation(weights, alphas):
    del alphas
    return tf.reduce_sum((weights[0] - 1.0) ** 2) / 2.0, ()


def test_on_bowls_it_is_the_series(loaded):
    weights = [tf.constant([0.3, -0.2, 0.9], tf.float64)]
    alphas = {"cell": tf.constant([0.1, 0.4, -0.3], tf.float64)}

    def unroll(slopes):
        return [weights[0] - RATE * slopes[0]], tf.constant(RATE, tf.float64)

    found = loaded["neumann"](PlainLoss(train), PlainLoss(validation), weights, alphas, unroll)
    reached = weights[0] - RATE * (CURVATURE * weights[0] - alphas["cell"])
    series = sum((1.0 - RATE * CURVATURE) ** k for k in range(1 + loaded["TERMS"]))
    np.testing.assert_allclose(found.gradient["cell"], RATE * series * (reached - 1.0), rtol=1e-9)
    paper = exact(PlainLoss(train), PlainLoss(validation), weights, alphas, unroll)
    np.testing.assert_allclose(paper.gradient["cell"], RATE * (reached - 1.0), rtol=1e-12)


@pytest.mark.slow
def test_a_method_of_it_passes_the_check(loaded):
    register_method("neumann_darts", "as in iDARTS", hypergradient="neumann")
    check_method("neumann_darts")


@pytest.mark.slow
def test_the_ordinary_command(tmp_path):
    status, _, err = in_process.run(
        in_process.MAIN,
        f"--load={OWN}",
        "--mode=search",
        "--dataset=digits",
        "--space=nasbench201",
        "--method=darts",
        "--hypergradient=neumann",
        "--channels=2",
        "--cells_per_stage=1",
        "--train_examples=32",
        "--batch_size=8",
        "--epochs=1",
        "--steps_per_epoch=1",
        "--gap_epochs=0",
        "--operations=skip_connect,nor_conv_1x1",
        f"--run_dir={tmp_path / 'run'}",
        cwd=tmp_path,
        eagerly=True,
    )
    assert status == 0, err
    found = json.loads((tmp_path / "run" / "genotype.json").read_text())["provenance"]
    assert (found["method"], found["hypergradient"]) == ("darts+neumann", "neumann")


def test_names_that_cannot_be_are_refused(loaded):
    for name, words in (("exact", "the name is taken"), ("a b", "a name is letters, digits")):
        with pytest.raises(UserError, match=words):
            register_hypergradient(name, print, "prints")
    with pytest.raises(UserError, match="is no function"):
        register_hypergradient("mine", None, "nothing")
    register_method("mine", "of an estimate that is none", hypergradient="neuman")
    asked = {"mode": "search", "dataset": "ptb", "method": "mine"}
    with pytest.raises(
        UserError, match=r"--method=mine: its hypergradient neuman is not known \(did"
    ):
        configure(asked)
    assert "neumann" in HYPERGRADIENTS
