"""Whether a class is an edge option: what a search and a space rely on."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tf_darts.bilevel.edge_options import EdgeOption
from tf_darts.bilevel.relaxation import Moment
from tf_darts.cells.topology import CellTopology
from tf_darts.spaces.convolutional.relaxed.cell import MixedOperation
from tf_darts.spaces.edge_wrappers import EdgePlace, make_edge
from tf_darts.testing import parts
from tf_darts.testing.comparison import expect, expect_equal, float64
from tf_darts.testing.derivatives import random
from tf_darts.testing.differences import check_gradient

_CHANNELS, _PIXELS = 8, 6
_OPERATIONS = ("none", "skip_connect", "sep_conv_3x3")


@parts.one_sentence("edge_options")
def check_edge_option(option: EdgeOption | str, numbers: Mapping[str, float] | None = None) -> None:
    """Tries an edge option as a search uses it, in float64: seconds.

    Checked are its parameters; that its factors are one for each edge, the same at the same
    arguments, and have the gradients of their values; and where it puts a layer around an edge,
    that this keeps the edge's shapes at both strides, follows from its arguments alone, and has the
    gradients of its values.

    Args:
      option: a name, or an option with its settings.
      numbers: what it finds in `moment.numbers`, where a rule of its method says such.

    Raises:
      AssertionError: one sentence that names the class and what failed.
    """
    name = type(option).__name__
    with float64(), parts.rules_say(numbers):
        for what, cells in parts.all_cells().items():
            option = option.of(parts.facts_of(cells))
            for allowed in ({}, parts.some_allowed(cells)):
                moment = parts.moment_at(0.5, allowed)
                _check_factors(option, cells, moment, f"{name}, {what}")
        if option.wraps():
            for stride in (1, 2):
                _check_edge(option, stride, f"{name}, stride {stride}")


def _check_factors(
    option: EdgeOption, cells: Mapping[str, CellTopology], moment: Moment, where: str
) -> None:
    first, again = (
        {k: v.numpy() for k, v in option.variables(cells, 1.0, 7).items()} for _ in range(2)
    )
    expect_equal(again, first, f"{where}: variables of one seed differ")
    taken = first.keys() & cells.keys()
    expect(not taken, f"{where}: its variables have the names of cells, {', '.join(taken)}.")
    names = list(first)
    tables = {
        kind: random(700 + i, topology.edges, topology.columns)
        for i, (kind, topology) in enumerate(cells.items())
    }

    def value(own: list[tf.Tensor]) -> tf.Tensor:
        factors = option.edge_factors(tables | dict(zip(names, own, strict=True)), moment, cells)
        if factors is None:
            return tf.zeros([], tf.float64)
        for kind, topology in cells.items():
            shape = tuple(factors[kind].shape)
            expect(shape == (topology.edges,), f"{where}: edge_factors of {kind!r} is {shape}.")
        return tf.add_n([tf.reduce_sum(f * random(800, *f.shape)) for f in factors.values()])

    own = [random(720 + i, *first[name].shape) for i, name in enumerate(names)]
    with tf.GradientTape() as tape:
        tape.watch(own)
        total = value(own)
    expect(np.isfinite(float(total)), f"{where}: its factors are no numbers.")
    expect_equal(value(own), total, f"{where}: its factors are not the same twice")
    if own:
        gradients = tape.gradient(total, own, unconnected_gradients="zero")
        check_gradient(value, own, gradients, names, f"{where}: edge_factors")


def _check_edge(option: EdgeOption, stride: int, where: str) -> None:
    place = EdgePlace(_CHANNELS, stride, _OPERATIONS, 1, "float64")

    def mixed(channels: int) -> MixedOperation:
        return MixedOperation(channels, stride, _OPERATIONS, seed=2, dtype="float64")

    edge = make_edge(mixed, place, [option], "edge")
    inputs = random(1, 3, _PIXELS, _PIXELS, _CHANNELS)
    edge.build(inputs.shape)
    numbers = option.numbers_at(parts.moment_at(0.5, {}), 10)
    expect(
        len(numbers) == option.numbers,
        f"{where}: numbers_at gives {len(numbers)}, and numbers is {option.numbers}.",
    )
    factor = tf.constant([0.7], tf.float64)
    row = tf.concat([random(2, len(_OPERATIONS)), tf.cast(numbers, tf.float64), factor], axis=0)
    shape, size = tuple(edge(inputs, row, training=True).shape), _PIXELS // stride
    expected = (3, size, size, _CHANNELS)
    expect(shape == expected, f"{where}: the edge gives {shape} of {inputs.shape}, not {expected}.")

    def value(arguments: list[tf.Tensor]) -> tf.Tensor:
        outputs = edge(*arguments, training=True)
        return tf.reduce_sum(outputs * random(3, *outputs.shape))

    arguments = [inputs, row]
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        total = value(arguments)
    expect_equal(value(arguments), total, f"{where}: the edge is not the same twice")
    compiled = tf.function(value, autograph=False)(arguments)
    expect_equal(compiled, total, f"{where}: the edge is another compiled")
    names = ["the inputs", "the row"]
    check_gradient(value, arguments, tape.gradient(total, arguments), names, f"{where}: the edge")
