"""The check of edge options finds what is wrong with one."""

import pytest
import tensorflow as tf

from tests.support.registries import forget_members
from tf_darts.bilevel.edge_options import EdgeOption
from tf_darts.config import methods
from tf_darts.spaces.edge_wrappers import WrappedEdge
from tf_darts.testing import check_edge_option


@pytest.fixture(autouse=True)
def _registry(monkeypatch):
    forget_members(monkeypatch)


def tried(door):
    methods._parts["edge_options"].pop("tried", None)
    check_edge_option(methods.register("tried")(type("Tried", (door,), {}))())


class OneFactor(EdgeOption):
    """One factor for all edges."""

    def edge_factors(self, alphas, moment, cells):
        return {kind: tf.ones([1], tf.float64) for kind in cells}


class Cut(EdgeOption):
    """The gradient by its parameter is cut off."""

    def variables(self, cells, scale, seed):
        return {"factor": tf.Variable(1.0, dtype=tf.float64)}

    def edge_factors(self, alphas, moment, cells):
        factor = alphas["factor"] + tf.stop_gradient(alphas["factor"])
        return {kind: tf.fill([t.edges], factor) for kind, t in cells.items()}


class Doubling(WrappedEdge):
    def call(self, inputs, mixing, training=False):
        return tf.concat([self.inner(inputs, mixing, training=training)] * 2, axis=-1)


class Wider(EdgeOption):
    """Gives twice as many channels."""

    def wrapped(self, make, place):
        return lambda channels: Doubling(make(channels))


class NoNumbers(EdgeOption):
    """Says that it has a number, and gives none."""

    numbers = 1

    def wrapped(self, make, place):
        return lambda channels: WrappedEdge(make(channels))


@pytest.mark.parametrize(
    ("door", "sentence"),
    [
        (OneFactor, r"Tried, .*: edge_factors of .* is \(1,\)"),
        (Cut, "Tried, .*: edge_factors: the gradient by factor"),
        (Wider, r"Tried, stride 1: the edge gives \(3, 6, 6, 16\)"),
        (NoNumbers, "numbers_at gives 0, and numbers is 1"),
    ],
)
def test_what_is_wrong_is_said(door, sentence):
    with pytest.raises(AssertionError, match=sentence):
        tried(door)
