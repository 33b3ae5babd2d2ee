"""A relaxation of one's own that gives something else than mixing weights."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.registries import forget_members
from tf_darts.bilevel.epoch_rules import SearchFacts
from tf_darts.bilevel.mixing_check import check_mixing
from tf_darts.bilevel.relaxation import Relaxation
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
    made = type("Mine", (Relaxation,), {k: lambda self, *a, f=f: f(*a) for k, f in methods.items()})
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

    check_mixing(relaxation(mixing=by_a_rule), CONVOLUTIONAL)


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
    ],
)
def test_what_it_gives_instead_is_said(methods, sentence):
    with pytest.raises(UserError, match=sentence):
        check_mixing(relaxation(**methods), CONVOLUTIONAL)


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
