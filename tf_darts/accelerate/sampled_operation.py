"""An edge of which only the sampled operation counts, and is computed: a switch in the graph."""

import functools
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tf_darts.runtime import collectives
from tf_darts.runtime.precision import like
from tf_darts.spaces.convolutional.relaxed.cell import MixedOperation
from tf_darts.spaces.fast_forms import register
from tf_darts.spaces.nasbench201.cells import RelaxedEdge
from tf_darts.spaces.sampled import apart


def _alone(*_: object) -> bool:
    """Replicas compute batch norms together, which they cannot inside of a branch."""
    return collectives.replicas() == 1


@register(MixedOperation, "mixing weights are one-hot, one replica", _alone)
@register(RelaxedEdge, "mixing weights are one-hot, one replica", _alone)
def switch(
    operations: Sequence[keras.layers.Layer],
    inputs: tf.Tensor,
    mixing: tf.Tensor,
    training: bool,
) -> tf.Tensor:
    """`sampled_operation` of these arguments; what it keeps for the gradient is one operation's."""
    layers = operations if training else ()
    variables = [v for layer in layers for v in layer.non_trainable_variables if "float" in v.dtype]
    apply: dict[int, Callable[[tf.Tensor], None]] = {}  # by id; eagerly, of one branch alone

    def branch(operation: keras.layers.Layer) -> tuple[tf.Tensor, list[tf.Tensor]]:
        output, moved = apart(operation, inputs, training)
        apply.update((id(statistic.variable), statistic.apply) for statistic in moved)
        new = {id(statistic.variable): statistic.value for statistic in moved}
        return output, [new.get(id(v), tf.convert_to_tensor(v)) for v in variables]

    sampled = tf.argmax(mixing, output_type=tf.int32)
    branches = [functools.partial(branch, operation) for operation in operations]
    output, values = tf.switch_case(sampled, branches)
    for variable, value in zip(variables, values, strict=True):
        if id(variable) in apply:
            apply[id(variable)](value)
    weight = tf.gather(mixing, sampled)
    # 0, whose gradient is that of the other operations' weights, each with a tensor of ones.
    others = tf.reduce_sum(mixing) - weight
    return like(weight * output + others, inputs)
