"""Edges whose mixing weights are one-hot: of each, only the sampled operation counts.

A relaxation that samples (`Relaxation.one_hot`) gives mixing weights h of which one is 1 and the
others 0. An edge then is

    y = h_k·o_k(x) + Σ_{j≠k} h_j,    k = argmax h,

which is o_k(x), and whose gradient by h_k is that of o_k(x), by the other h_j that of an operation
that gives 1 everywhere. So α learns of the operations that were not sampled too, although nothing
of them is computed: it is how the authors' code of GDAS (Dong & Yang, CVPR 2019) does it
(github.com/D-X-Y/AutoDL-Projects, `search_cells.py`, `forward_gdas`).
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from tf_darts.runtime.precision import full, like
from tf_darts.spaces.convolutional.operations.batch_norm import StatisticsLedger
from tf_darts.spaces.fast_forms import fast_form

_one_hot = False


@contextlib.contextmanager
def one_hot_mixing(one_hot: bool) -> Iterator[None]:
    """Inside, mixing weights are one-hot, or they are not; asked when a function is traced."""
    global _one_hot
    outer, _one_hot = _one_hot, one_hot
    try:
        yield
    finally:
        _one_hot = outer


def is_one_hot() -> bool:
    """Whether mixing weights are one-hot here."""
    return _one_hot


def sampled_operation(
    edge: keras.layers.Layer,
    operations: Sequence[keras.layers.Layer],
    inputs: tf.Tensor,
    mixing: tf.Tensor,
    training: bool,
) -> tf.Tensor:
    """The edge; in training, running statistics of the sampled operation's batch norms are moved.

    Those of the others are averaged with themselves.

    All operations are computed here; where nothing stands against it, a fast form computes one.

    Args:
      edge: the layer that asks.
      operations: its candidates, in the order of the mixing weights.
      inputs: [B, H, W, C].
      mixing: [operations], one-hot, or all 0.
      training: batch or running statistics.

    Returns:
      y, [B, H', W', C].
    """
    fast = fast_form(type(edge), edge, operations, inputs, mixing, training)
    if fast is not None:
        return fast()
    sampled = tf.argmax(mixing)
    terms = []
    for number, operation in enumerate(operations):
        here = tf.equal(sampled, number)
        output, moved = apart(operation, inputs, training)
        for variable, value, apply in moved:
            apply(tf.where(here, value, tf.convert_to_tensor(variable)))
        terms.append(mixing[number] * tf.where(here, output, tf.ones_like(output)))
    return like(tf.add_n(terms), inputs)


class Moved(NamedTuple):
    """A running statistic that an operation would move.

    Attributes:
      variable: the statistic.
      value: what a batch norm of ours measured; or what another layer assigned.
      apply: moves it, or has it moved; takes `value`, or the variable's own.
    """

    variable: keras.Variable
    value: tf.Tensor
    apply: Callable[[tf.Tensor], None]


def apart(
    operation: keras.layers.Layer, inputs: tf.Tensor, training: bool
) -> tuple[tf.Tensor, list[Moved]]:
    """What an operation gives, and the running statistics that it would move; it moves none.

    Args:
      operation: one candidate.
      inputs: [B, H, W, C].
      training: batch or running statistics.
    """
    weights = [v for v in operation.variables if "float" in v.dtype]
    mapping = [(variable, tf.convert_to_tensor(variable)) for variable in weights]
    with keras.StatelessScope(state_mapping=mapping) as scope, StatisticsLedger() as ledger:
        output = full(operation(inputs, training=training))
    moved = []
    for variable in weights if training else []:
        if variable in ledger:
            record = functools.partial(StatisticsLedger.record, [variable])
            moved.append(Moved(variable, ledger.measured([variable]), record))
        elif not variable.trainable:
            value = tf.convert_to_tensor(scope.get_current_value(variable))
            moved.append(Moved(variable, value, variable.assign))
    return output, moved
