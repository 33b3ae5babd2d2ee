"""Every member, ours and whoever's is registered, passes the checks of its door."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.support.paths import ROOT
from tf_darts.bilevel.simultaneous import SimultaneousStep
from tf_darts.bilevel.step import BilevelStep
from tf_darts.config import methods
from tf_darts.methods import darts, joint
from tf_darts.testing import (
    check_alpha_term,
    check_derivation,
    check_edge_option,
    check_method,
    check_relaxation,
    check_rule,
    method,
)

# Where a search of two epochs needs other settings than a long one, or the usual ones are none.
SETTINGS = {
    "expected_multiply_adds": {"target_multiply_adds": 20},
    "warm_up": {"warm_up_epochs": 1},
    "greedy_decisions": {"greedy_warm_up": 0, "greedy_epochs": 1, "greedy_criterion": 2},
    "eigenvalue": {"eigenvalue_batches": 1, "eigenvalue_epochs": 1},
    "eigenvalue_stop": {"eigenvalue_batches": 1, "eigenvalue_epochs": 1},
    "eigenvalue_adaptation": {"eigenvalue_batches": 1, "eigenvalue_epochs": 1},
}
# The same of methods.
METHOD_SETTINGS = {"pc_darts": SETTINGS["warm_up"] | {"batch_size": 4}}
# Whose searches of two epochs are in a test of their own.
LONGER = {"robust_darts_es", "robust_darts_ada", "darts_pt", "rsps", "sgas", "p_darts"}
# Parts that are not for the toy space, whose searches are in a test of their own, or for so few
# epochs.
NOT_HERE = {
    "eigenvalue_adaptation",
    "eigenvalue_stop",
    "expected_multiply_adds",
    "greedy_decisions",
    "progressive_shrinking",
    "ranking_stop",
}


@pytest.mark.parametrize("name", methods.parts("relaxation"))
def test_relaxations(name):
    check_relaxation(name)


# Of each part a method; the others are tried with the long tests.
TRIED = {"beta_darts", "darts", "dr_nas", "gdas", "joint_simultaneous", "pc_darts"}


def of_all(names):
    """Names of methods as parameters; those not `TRIED` are long."""
    return [n if n in TRIED else pytest.param(n, marks=pytest.mark.long) for n in sorted(names)]


@pytest.mark.parametrize("name", methods.parts("alpha_terms"))
def test_alpha_terms(name):
    term = methods.parts("alpha_terms")[name](**SETTINGS.get(name, {}))
    check_alpha_term(term)
    check_rule(term)


@pytest.mark.parametrize("name", methods.parts("rules"))
def test_rules(name):
    check_rule(methods.parts("rules")[name](**SETTINGS.get(name, {})))


@pytest.mark.parametrize("name", methods.parts("derivation"))
def test_derivations(name):
    check_derivation(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", methods.parts("edge_options"))
def test_edge_options(name):
    check_edge_option(name)


_search = method._search


def search_eagerly(*arguments):
    """A search without compiled functions: of one for each step these take nearly all the time."""
    tf.config.run_functions_eagerly(True)
    try:
        return _search(*arguments)
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.mark.slow
@pytest.mark.parametrize("name", of_all(methods.methods().keys() - LONGER))
def test_methods(monkeypatch, name):
    monkeypatch.setattr(method, "_search", search_eagerly)
    check_method(name, **METHOD_SETTINGS.get(name, {}))


@pytest.mark.slow
@pytest.mark.parametrize("name", of_all(methods.methods().keys() - LONGER))
def test_methods_whose_steps_are_compiled(name, tmp_path):
    """A search that is killed in its second epoch and goes on: nearly what it is uncompiled."""
    config = method.toy_config(name, **METHOD_SETTINGS.get(name, {}))
    with pytest.raises(method._Killed):
        _search(tmp_path / "compiled", config, method._KillsAt(method._steps(config) + 1))
    alphas, weights, records = _search(tmp_path / "compiled", config)
    eager_alphas, eager_weights, eager_records = search_eagerly(tmp_path / "eager", config)
    assert len(records) == len(eager_records) == 2
    for cell, alpha in alphas.items():
        np.testing.assert_allclose(alpha, eager_alphas[cell], atol=1e-4)
    for weight, other in zip(weights, eager_weights, strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["alpha_terms", "rules"])
def test_parts_that_no_method_has(kind):
    """A rule that freezes and a term, in searches that are killed at every step."""
    for name in methods.parts(kind):
        if name not in NOT_HERE:
            check_method("darts_first", **{kind: name}, **SETTINGS.get(name, {}))


def test_the_papers_method_is_the_usual_one():
    papers = methods.PAPERS.parts
    assert methods.methods()["darts"].parts == papers
    assert methods.parts("relaxation")[papers["relaxation"]] is darts.Softmax
    assert methods.parts("derivation")[papers["derivation"]] is darts.StrongestEdges
    usual = {name: m for name, m in methods.methods().items() if not m.factors}
    names = {name for name, method in usual.items() if method.parts == papers}
    assert names == {"darts"}


def test_the_baselines_learn_from_all_data():
    others = {n: m for n, m in methods.methods().items() if m.optimization != "bilevel"}
    assert set(others) == {"joint_alternating", "joint_simultaneous", "snas"}
    assert {method.step_class for method in others.values()} == {BilevelStep, SimultaneousStep}
    assert joint.__doc__.startswith("The joint baselines")


def test_every_member_says_what_it_is():
    members = [part for kind in methods.KINDS for part in methods.parts(kind).values()]
    for member in (*members, *methods.methods().values()):
        assert len(member.about) > 10, member.name


def test_each_file_can_be_the_first_that_is_imported():
    """Whoever registers first imports all the others, which may want something of it."""
    program = """
import importlib, pkgutil, sys
import tf_darts.methods as package
for member in pkgutil.iter_modules(package.__path__):
    for loaded in [name for name in sys.modules if name.partition(".")[0] == "tf_darts"]:
        del sys.modules[loaded]
    importlib.import_module(f"tf_darts.methods.{member.name}")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
