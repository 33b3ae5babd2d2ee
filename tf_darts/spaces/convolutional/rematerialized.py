"""A cell that is computed again in the backward pass."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tf_darts.runtime.rematerialize import rematerialized
from tf_darts.spaces.convolutional.operations.batch_norm import StatisticsLedger
from tf_darts.spaces.draws import current_seed, drawn_by


def rematerialized_cell(
    cell: keras.layers.Layer,
    inputs: tf.Tensor | tuple[tf.Tensor, ...],
    edge_factors: tf.Tensor | None,
) -> tf.Tensor:
    """`cell(inputs, edge_factors, training=True)`, of which only the arguments are kept.

    Running statistics are moved, or written down, by the first computation only.

    Args:
      cell: relaxed or derived; it is built.
      inputs: the cell's input, or its inputs: in the convolutional space the outputs of the cell
        before the last, and of the last.
      edge_factors: mixing weights, or drop-path's factors, if any.
    """
    variables = cell.trainable_variables
    values = [tf.convert_to_tensor(variable) for variable in variables]
    tensors = list(inputs) if isinstance(inputs, tuple) else [inputs]
    extra_arguments = [] if edge_factors is None else [edge_factors]
    ledgers: list[StatisticsLedger] = []
    seed = current_seed()  # the second computation, long after, draws the same

    def run(arguments: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        count = len(tensors) + len(extra_arguments)
        own = tuple(arguments[: len(tensors)]) if isinstance(inputs, tuple) else arguments[0]
        mapping = list(zip(variables, arguments[count:], strict=True))
        scope = keras.StatelessScope(state_mapping=mapping)
        with scope, StatisticsLedger() as ledger, drawn_by(seed):
            output = cell(own, *arguments[len(tensors) : count], training=True)
        ledgers.append(ledger)
        return [output, *(tf.stop_gradient(value) for value in ledger.values)]

    output, *statistics = rematerialized(run, [*tensors, *extra_arguments, *values])
    ledgers[0].hand_over(statistics)
    return output
