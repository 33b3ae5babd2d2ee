"""DARTS-: an auxiliary skip connection beside every edge, which fades."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.relaxation import Moment
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.methods.auxiliary_skip import AuxiliarySkip
from tf_darts.spaces import fast_forms
from tf_darts.spaces.convolutional.operations.convolutions import FactorizedReduction
from tf_darts.spaces.convolutional.relaxed.cell import RelaxedCell
from tf_darts.spaces.edge_wrappers import rows

MIXING = {"cell": tf.random.stateless_uniform([5, 8], [1, 2])}
INPUTS = [tf.random.stateless_normal([2, 6, 6, 4], [i, 2]) for i in range(2)]


OPTIONS = (AuxiliarySkip(),)


def cell(reduction, options=OPTIONS):
    made = RelaxedCell(4, reduction=reduction, nodes=2, seed=1, edge_options=options)
    made.build(tuple(value.shape for value in INPUTS))
    return made


def taken(cell, table, weights):
    """Output, and the gradients by the table and by some weights."""
    weights = [weight.value for weight in weights]
    with tf.GradientTape() as tape:
        tape.watch(table)
        outputs = cell(INPUTS, table, training=True)
        total = tf.reduce_sum(tf.sin(outputs))
    by_table, *others = tape.gradient(total, [table, *weights], unconnected_gradients="zero")
    return outputs.numpy(), tf.convert_to_tensor(by_table).numpy()[:, :8], [*map(np.array, others)]


@pytest.mark.parametrize("clear", [False, True], ids=["fast", "clear"])
@pytest.mark.parametrize("reduction", [False, True])
def test_beta_zero_is_darts_to_the_bit(reduction, clear):
    with fast_forms.without() if clear else contextlib.nullcontext():
        plain, beside = cell(reduction, ()), cell(reduction)
        skips = {id(w) for edge in beside.edges for w in edge.inner.skip.trainable_variables}
        own = [w for w in beside.trainable_variables if id(w) not in skips]
        expected = taken(plain, MIXING["cell"], plain.trainable_variables)
        table = rows(MIXING, [tf.constant(0.0)], None)["cell"]
        found = taken(beside, table, own)
    np.testing.assert_array_equal(found[0], expected[0])
    for mine, theirs in zip(tf.nest.flatten(found), tf.nest.flatten(expected), strict=True):
        if clear:  # a tape adds up its terms, one of which is 0, in another order
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)
        else:
            np.testing.assert_array_equal(mine, theirs)
    assert len(beside.trainable_variables) - len(own) == 2 * reduction * 4


def test_beta_one_adds_exactly_x_at_stride_1():
    edge = cell(False).edges[0]
    nothing = tf.zeros([1, 8])
    row = rows({"cell": nothing}, [tf.constant(1.0)], None)["cell"][0]
    np.testing.assert_array_equal(edge(INPUTS[0], row, training=True), INPUTS[0])


def test_at_stride_2_it_is_a_reduction_with_weights_of_its_own():
    edge = cell(True).edges[0]
    skip, candidate = edge.inner.skip, edge.operations["skip_connect"]
    assert isinstance(skip, FactorizedReduction) and isinstance(candidate, FactorizedReduction)
    assert (skip.even_kernel.numpy() != candidate.even_kernel.numpy()).any()
    row = rows({"cell": tf.zeros([1, 8])}, [tf.constant(0.5)], None)["cell"][0]
    expected = 0.5 * skip(INPUTS[0], training=True)
    np.testing.assert_allclose(edge(INPUTS[0], row, training=True), expected, rtol=1e-6)


def test_beta_falls_with_the_epochs():
    def beta(epoch, epochs=50, **settings):
        share = tf.constant(epoch / epochs, tf.float64)
        moment = Moment(tf.zeros([2], tf.int32), share, tf.constant(epoch / (epochs - 1)), {})
        return float(AuxiliarySkip(**settings).numbers_at(moment, epochs)[0])

    assert beta(0) == 1.0
    assert beta(49) == pytest.approx(0.02, rel=1e-12)
    for fading, half in (("cosine", 0.5), ("slow_cosine", 2**-0.5)):
        values = [beta(epoch, auxiliary_fading=fading) for epoch in (0, 25, 50)]
        np.testing.assert_allclose(values, [1.0, half, 0.0], atol=1e-12)


def test_edges_cannot_be_out_while_it_passes_by():
    asked = {"mode": "search", "dataset": "cifar10", "method": "darts_minus"}
    assert configure(asked | {"derivation": "perturbation"}).label == "darts_minus+perturbation"
    table = {"space": "nasbench201", "relaxation": "uniform", "derivation": "best_sampled"}
    wanted = "darts_minus+uniform+best_sampled"
    assert configure(asked | table).label == wanted, "no edge is ever out"
    with pytest.raises(UserError, match="an edge without operations still hands on what goes"):
        configure(asked | {"derivation": "best_sampled"})


def test_what_has_no_skip_connection_is_refused():
    asked = {"mode": "search", "dataset": "cifar10", "method": "darts_minus"}
    assert configure(asked).label == "darts_minus"
    assert configure(asked | {"operations": "s2"}).label == "darts_minus"
    with pytest.raises(UserError, match=r"cannot have any; add skip_connect to --operations"):
        configure(asked | {"operations": "sep_conv_3x3,max_pool_3x3"})
    with pytest.raises(UserError, match=r"--edge_options=auxiliary_skip: .* space recurrent"):
        configure(asked | {"dataset": "ptb"})
