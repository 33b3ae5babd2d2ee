"""The relaxed cell's fast form where something is around its edges, against its layers."""

import functools

import pytest
import tensorflow as tf

from tf_darts.cells.topology import CellTopology
from tf_darts.methods.auxiliary_skip import AuxiliarySkip
from tf_darts.methods.partial_channels import PartialChannels
from tf_darts.spaces import fast_forms
from tf_darts.spaces.convolutional.relaxed.cell import RelaxedCell
from tf_darts.spaces.edge_wrappers import rows
from tf_darts.testing import Case, check_accelerated
from tf_darts.testing.accelerated import TOLERANCES
from tf_darts.testing.derivatives import random

TOPOLOGY = CellTopology(2, 2, 2, ("skip_connect", "max_pool_3x3", "sep_conv_3x3"))
PARTIAL, SKIP = PartialChannels(partial_channels=2), AuxiliarySkip()


def case(options, reduction, dtype):
    cell = RelaxedCell(4, reduction=reduction, topology=TOPOLOGY, seed=1, edge_options=options)
    shape = (3, 6, 6, 4)
    cell.build((shape, shape))
    inputs = [random(i, *shape, dtype=dtype) for i in range(2)]
    mixing = {"cell": tf.nn.softmax(random(2, 5, 3, dtype=dtype))}
    numbers = [tf.constant(0.7, dtype)] * sum(option.numbers for option in options)
    factors = {"cell": tf.nn.softmax(random(3, 5, dtype=dtype))}
    table = rows(mixing, numbers, factors)["cell"]
    return Case(cell, lambda x, y, p: cell((x, y), p, training=True), [*inputs, table])


@pytest.mark.slow
@pytest.mark.parametrize("reduction", [False, True], ids=["normal", "reduction"])
@pytest.mark.parametrize(
    "options", [(PARTIAL,), (SKIP,), (PartialChannels(partial_channels=1),)], ids=str
)
def test_both_ways_are_one(options, reduction):
    # Once in float32 too, in which tests/accelerate/test_contract.py has the form without options.
    types = TOLERANCES if options == (PARTIAL,) else ["float64"]
    tolerances = {name: TOLERANCES[name] for name in types}
    make = functools.partial(case, options, reduction)
    check_accelerated(RelaxedCell, make, tolerances=tolerances)


def test_more_than_one_option_is_computed_by_the_layers():
    made = case((PARTIAL, SKIP), False, "float32")
    with fast_forms.recorded() as taken:
        made.at(*made.arguments)
    assert RelaxedCell not in taken
    made = case((PARTIAL,), False, "float32")
    with fast_forms.recorded() as taken:
        made.at(*made.arguments)
    assert RelaxedCell in taken
