"""The registry of estimates: one entry more, and everybody knows it."""

import subprocess
import sys

import pytest
import tensorflow as tf
from absl import flags

from tests.support import toy_search
from tf_darts.bilevel import hypergradient
from tf_darts.cli.flags import config_from_flags, define_flags
from tf_darts.cli.help_page import help_page
from tf_darts.config.hypergradients import HYPERGRADIENTS, Estimate
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.report.ranking_plot import colours
from tf_darts.runs.memory_estimates import search_memory
from tf_darts.runtime.memory.traced import TracedMemory
from tf_darts.study.candidates import select_candidates
from tf_darts.study.settings import training_config


def half_first_order(train_loss, validation_loss, weights, alphas, unroll, share):
    found = hypergradient.first_order(train_loss, validation_loss, weights, alphas, unroll)
    half = tf.nest.map_structure(lambda gradient: share * gradient, found.gradient)
    return found._replace(gradient=half)


@pytest.fixture
def fourth(monkeypatch):
    """Takes the other's setting for its share."""
    made = Estimate(
        function=half_first_order,
        about="a share of first_order",
        settings={"share": "finite_difference_radius"},
        vectors=1000,
        cost=5,
        colour="#123456",
    )
    monkeypatch.setitem(HYPERGRADIENTS, "fourth", made)


def chosen(**settings):
    return configure({"mode": "search", "dataset": "ptb", **settings})


def test_ours_are_the_functions_of_the_search():
    for name, kind in HYPERGRADIENTS.items():
        assert kind.estimate is getattr(hypergradient, name)


def test_the_registry_does_not_import_tensorflow():
    code = (
        "import sys; from tf_darts.config.hypergradients import HYPERGRADIENTS;"
        " assert 'exact' in HYPERGRADIENTS and 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_fourth_is_a_flag(fourth):
    values = flags.FlagValues()
    define_flags(values)
    text = help_page({"mode": "search", "dataset": "ptb"}, 100, bold=False)
    assert "        fourth             a share of first_order" in text.splitlines()
    values(["main", "--mode=search", "--dataset=ptb", "--hypergradient=fourth"])
    config = config_from_flags(values)
    assert config.hypergradient == "fourth" and "fourth" in config.run_dir
    chosen(hypergradient="fourth", finite_difference_radius=0.02)  # it has a meaning there
    with pytest.raises(UserError, match=r"third: not known; use one of .*, exact, fourth"):
        chosen(hypergradient="third")


def test_a_fourth_is_a_candidate(fourth):
    config = configure({"mode": "select", "dataset": "pydoc", "candidates": "fourth", "count": 1})
    (candidate,) = select_candidates(config, training_config(config))
    assert candidate.search.hypergradient == "fourth"
    assert colours(["fourth"])["fourth"] == "#123456"


def test_a_fourth_has_its_memory(fourth):
    class Measured(toy_search.Toy):
        def traced_memory(self, batch, *, order=1, replicas=1):
            return TracedMemory(retained=8)

    first, more = (
        search_memory(Measured(), chosen(hypergradient=name)) for name in ("first_order", "fourth")
    )
    assert (first.vectors, more.vectors) == (6 * 2 * 4, 1000 * 2 * 4), "w is two float32"


def test_a_fourth_is_searched_with(fourth, tmp_path):
    events = toy_search.Events()
    search = {"hypergradient": "fourth", "finite_difference_radius": 0.25, "epochs": 1}
    toy_search.search(tmp_path, events, **search)
    metrics = events.metrics
    assert metrics["hypergradient_norm"] == pytest.approx(0.25 * metrics["direct_norm"])
    assert metrics["direct_norm"] > 0.0


def test_without_the_fourth_nobody_knows_it():
    with pytest.raises(UserError, match="fourth: not known"):
        chosen(hypergradient="fourth")
    config = configure({"mode": "select", "dataset": "pydoc", "candidates": "fourth", "count": 1})
    with pytest.raises(UserError, match="fourth is none of"):
        select_candidates(config, training_config(config))
