"""An edge of which only the sampled operation counts, and is computed: a switch in the graph."""

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_darts.accelerate.traced_once import can_be_shared, traced_once
from tf_darts.runtime import collectives
from tf_darts.runtime.custom_gradient import custom_gradient
from tf_darts.runtime.precision import like
from tf_darts.spaces.convolutional.relaxed.cell import MixedOperation
from tf_darts.spaces.fast_forms import register
from tf_darts.spaces.nasbench201.cells import RelaxedEdge
from tf_darts.spaces.sampled import apart


def _alone(*_: object) -> bool:
    """Replicas compute batch norms together, which they cannot inside of a branch."""
    return collectives.norm_replicas() == 1


@register(MixedOperation, "mixing weights are one-hot, one replica", _alone)
@register(RelaxedEdge, "mixing weights are one-hot, one replica", _alone)
def sampled_operation(
    edge: keras.layers.Layer,
    operations: Sequence[keras.layers.Layer],
    inputs: tf.Tensor,
    mixing: tf.Tensor,
    training: bool,
) -> tf.Tensor:
    """`sampled_operation` of these arguments; edges of one shape are traced once."""
    if not training or not can_be_shared():  # a layer may have constants of its own in evaluation
        return _switch(operations, inputs, mixing, training)
    config = {k: v for k, v in edge.get_config().items() if k not in ("name", "seed")}
    key = type(edge), json.dumps(config, sort_keys=True, default=str), training
    return traced_once(
        edge, key, lambda _, *arguments: _switch(operations, *arguments, training), [inputs, mixing]
    )


def _switch(
    operations: Sequence[keras.layers.Layer],
    inputs: tf.Tensor,
    mixing: tf.Tensor,
    training: bool,
) -> tf.Tensor:
    """The operation of the largest weight, by a switch.

    For the gradient the operation is computed again, inside of its branch: what TensorFlow would
    hand from the branches of one switch to those of another takes longer to trace.
    """
    sampled = tf.argmax(mixing, output_type=tf.int32)
    floats = [v for layer in operations for v in layer.variables if "float" in v.dtype]
    moving = [v for v in floats if not v.trainable] if training else []
    apply: dict[int, Callable[[tf.Tensor], None]] = {}  # by id; eagerly, of one branch alone

    def value(
        operation: keras.layers.Layer, arguments: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        inputs, weight, *values = arguments
        with keras.StatelessScope(state_mapping=list(zip(floats, values, strict=True))):
            output, moved = apart(operation, inputs, training)
            apply.update((id(statistic.variable), statistic.apply) for statistic in moved)
            new = {id(statistic.variable): statistic.value for statistic in moved}
            return weight * output, [new.get(id(v), tf.convert_to_tensor(v)) for v in moving]

    def slopes(
        operation: keras.layers.Layer, arguments: Sequence[tf.Tensor], upstream: tf.Tensor
    ) -> list[tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(arguments)
            output, _ = value(operation, arguments)
        zero = tf.UnconnectedGradients.ZERO
        gradients = tape.gradient(output, arguments, upstream, unconnected_gradients=zero)
        return [tf.convert_to_tensor(slope) for slope in gradients]

    def of_sampled(function: Callable[..., Any], *arguments: Any) -> Any:
        branches = [functools.partial(function, layer, *arguments) for layer in operations]
        return tf.switch_case(sampled, branches)

    @custom_gradient
    def run(*arguments: tf.Tensor) -> tuple[Any, Callable[..., Any]]:
        def gradient(upstream: tf.Tensor, *_: tf.Tensor) -> list[tf.Tensor]:
            return of_sampled(slopes, arguments, upstream)

        return of_sampled(value, arguments), gradient

    weight = tf.gather(mixing, sampled)
    output, values = run(inputs, weight, *(tf.convert_to_tensor(v) for v in floats))
    for variable, value_of in zip(moving, values, strict=True):
        if id(variable) in apply:
            apply[id(variable)](tf.stop_gradient(value_of))
    # 0, whose gradient is that of the other operations' weights, each with a tensor of ones.
    others = tf.reduce_sum(mixing) - weight
    return like(output + others, inputs)
