"""A relaxation of one's own that gives something else than mixing weights."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.registries import forget_members
from tf_darts.bilevel.edge_options import EdgeOption
from tf_darts.bilevel.epoch_rules import SearchFacts
from tf_darts.bilevel.mixing_check import check_mixing, check_option
from tf_darts.bilevel.relaxation import Relaxation, softmax
from tf_darts.cells.topologies import TOPOLOGIES
from tf_darts.config.methods import parts, register
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.runs.search_tasks import search_task

RECURRENT, CONVOLUTIONAL = TOPOLOGIES["recurrent"], TOPOLOGIES["convolutional"]


def failing(alphas, moment):
    raise ZeroDivisionError("no\n more")


def refusing(alphas, moment):
    raise UserError("It is not for this.")


def relaxation(**methods):
    members = {
        name: (lambda self, *a, f=value: f(*a)) if callable(value) else value
        for name, value in methods.items()
    }
    made = type("Mine", (Relaxation,), members)
    made.name = "mine"
    return made()


def only_normal(alphas, moment):
    return {"normal": alphas["normal"]}


@pytest.mark.parametrize("cells", [RECURRENT, CONVOLUTIONAL])
@pytest.mark.parametrize("name", [*parts("relaxation")])
def test_members_give_what_a_search_takes(name, cells):
    check_mixing(parts("relaxation")[name]().of(SearchFacts(cells, epochs=3)), cells)


def test_what_a_rule_will_say_is_there():
    def by_a_rule(alphas, moment):
        return {name: alpha * moment.numbers["of_a_rule"] for name, alpha in alphas.items()}

    check_mixing(
        relaxation(mixing=by_a_rule, normalized=False), CONVOLUTIONAL, numbers={"of_a_rule": 2.0}
    )
    with pytest.raises(UserError, match=r"its mixing fails \(KeyError: 'of_a_rule', test_mixing"):
        check_mixing(relaxation(mixing=by_a_rule), CONVOLUTIONAL, numbers={"of_another": 2.0})


@pytest.mark.parametrize(
    ("methods", "sentence"),
    [
        ({"mixing": failing}, r"mixing fails \(ZeroDivisionError: no more, test_.*py, line \d+\)"),
        ({"mixing": refusing}, r"^It is not for this\.$"),
        ({"variables": failing}, r"its variables fails \(TypeError: "),
        ({"mixing": lambda a, m: tf.zeros([14, 8])}, r"mixing gives no dict, but a EagerTensor; "),
        ({"mixing": lambda a, m: {}}, "mixing gives no kind of cell; it must give "),
        (
            {"mixing": only_normal},
            r"mixing gives \[14, 8\] for 'normal'; it must give \[14, 8\] for",
        ),
        (
            {"mixing": lambda a, m: {kind: alpha[:-1] for kind, alpha in a.items()}},
            r"mixing gives \[13, 8\] for 'normal', .*; it must give \[14, 8\] for 'normal', "
            r"\[14, 8\] for 'reduce'",
        ),
        ({"weight_mixing": lambda a, m: {}}, "its weight_mixing gives no kind of cell"),
        ({"reading": lambda a, m: {}}, "its reading gives no kind of cell"),
        (
            {"edge_factors": lambda a, m: {kind: np.ones([14, 1]) for kind in a}},
            r"its edge_factors gives \[14, 1\] for 'normal', .*; it must give \[14\] for 'normal'",
        ),
        (
            {"mixing": lambda a, m: softmax(a) | {"third": a["normal"]}},
            r"\[14, 8\] for 'third'; it",
        ),
        (
            {"mixing": lambda a, m: {k: tf.cast(x, tf.float64) for k, x in softmax(a).items()}},
            "its mixing gives float64 for 'normal', and this search computes in float32",
        ),
        (
            {"mixing": lambda a, m: {k: x / 0.0 for k, x in softmax(a).items()}},
            "its mixing gives for 'normal' what is no finite number",
        ),
        (
            {"mixing": lambda a, m: {k: 2.0 * x for k, x in softmax(a).items()}},
            "its mixing gives an edge whose mixing weights sum to 2; make it 1",
        ),
    ],
)
def test_what_it_gives_instead_is_said(methods, sentence):
    with pytest.raises(UserError, match=sentence):
        check_mixing(relaxation(**methods), CONVOLUTIONAL)


def factors(value):
    return lambda self, alphas, moment, cells: {kind: value(cell) for kind, cell in cells.items()}


@pytest.mark.parametrize("name", [*parts("edge_options")])
def test_options_give_what_a_search_takes(name):
    facts = SearchFacts(CONVOLUTIONAL, epochs=3)
    check_option(parts("edge_options")[name]().of(facts), CONVOLUTIONAL, 3)


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        (
            {"edge_factors": factors(lambda cell: tf.ones([cell.edges, 1]))},
            r"--edge_options=mine: its edge_factors gives \[14, 1\] for 'normal', .*give \[14\]",
        ),
        (
            {"edge_factors": factors(lambda cell: tf.ones([cell.edges], tf.float64))},
            "its edge_factors gives float64",
        ),
        (
            {"numbers_at": lambda self, moment, epochs: 1.0},
            "numbers_at gives a float; it must give",
        ),
        ({"variables": lambda self, *rest: None}, "its variables gives a NoneType; it must give"),
        ({"numbers": 2}, r"numbers_at gives 0 values of shapes \[\]; it must give as many scalars"),
        (
            {"variables": lambda self, cells, scale, seed: {"mine": np.zeros(3)}},
            "its variables gives float64 for 'mine'",
        ),
        (
            {"variables": lambda self, cells, scale, seed: {"normal": np.zeros(3, np.float32)}},
            "its variables have the names of cells, normal",
        ),
    ],
)
def test_what_an_option_gives_instead_is_said(members, sentence):
    made = type("Mine", (EdgeOption,), members)
    made.name = "mine"
    with pytest.raises(UserError, match=sentence):
        check_option(made(), CONVOLUTIONAL, 3)


def test_a_search_is_refused_before_it_begins(monkeypatch):
    forget_members(monkeypatch)

    @register("short")
    class Short(Relaxation):
        """Has a row too few."""

        def mixing(self, alphas, moment):
            return {name: alpha[:-1] for name, alpha in alphas.items()}

    given = {"mode": "search", "dataset": "pydoc", "relaxation": "short"}
    sizes = {"units": 8, "batch_size": 4, "bptt": 6}
    with pytest.raises(UserError, match="--relaxation=short: its mixing gives "):
        search_task(configure(given | sizes))
