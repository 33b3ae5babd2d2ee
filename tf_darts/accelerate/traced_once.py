"""Layers of one shape share one traced function: a network of many alike is traced sooner."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_darts.runtime import collectives
from tf_darts.runtime.lean_graphs import lean
from tf_darts.runtime.precision import current
from tf_darts.spaces.constant_weights import are_constant
from tf_darts.spaces.convolutional.operations.batch_norm import StatisticsLedger
from tf_darts.spaces.draws import noticed
from tf_darts.spaces.fast_forms import is_counted
from tf_darts.spaces.sampled import is_one_hot

_COLLECTION = "tf_darts/traced_once"


class _Traced:
    """A layer's function of its arguments and weights, in the graph that is being made.

    Attributes:
      draws: whether something in it draws, which another layer does by a seed of its own.

    Args:
      layer: of which it is traced; others of the same configuration call it with their weights.
      call: of the layer and its arguments.
      arguments: as those of every later call, in shape and type.
    """

    def __init__(
        self,
        layer: keras.layers.Layer,
        call: Callable[..., tf.Tensor],
        arguments: Sequence[tf.Tensor],
    ) -> None:
        self._layer = layer
        self._call = call
        self._ledger = StatisticsLedger()
        specs = [tf.TensorSpec(value.shape, value.dtype) for value in arguments]
        specs += [tf.TensorSpec(v.shape, v.dtype) for v in layer.variables]
        # Put in place, it would be optimised as often as it is called.
        function = tf.function(
            lean(self._run), autograph=False, experimental_attributes={"_noinline": True}
        )
        with noticed() as numbers:
            self._function = function.get_concrete_function(*specs)
        self.draws = bool(numbers)

    def _run(self, *values: tf.Tensor) -> list[tf.Tensor]:
        variables = self._layer.variables
        count = len(values) - len(variables)
        if are_constant():  # a gradient of all arguments would be computed, needed or not
            values = *values[:count], *map(tf.stop_gradient, values[count:])
        mapping = list(zip(variables, values[count:], strict=True))
        with keras.StatelessScope(state_mapping=mapping), self._ledger:
            output = self._call(self._layer, *values[:count])
        return [output, *(tf.stop_gradient(value) for value in self._ledger.values)]

    def __call__(self, layer: keras.layers.Layer, arguments: Sequence[tf.Tensor]) -> tf.Tensor:
        weights = [tf.convert_to_tensor(variable) for variable in layer.variables]
        output, *statistics = self._function(*arguments, *weights)
        own = dict(zip(map(id, self._layer.variables), layer.variables, strict=True))
        self._ledger.hand_over(statistics, own)
        return output


def can_be_shared() -> bool:
    """Whether a function is being traced, for one replica; several compute batch norms together."""
    return tf.inside_function() and collectives.norm_replicas() == 1 and not is_counted()


def traced_once(
    layer: keras.layers.Layer,
    key: Any,
    call: Callable[..., tf.Tensor],
    arguments: Sequence[tf.Tensor],
) -> tf.Tensor:
    """`call(layer, *arguments)`, traced once in a graph for all layers of the same `key`.

    Args:
      layer: it is built, and all its state is batch norms' running statistics.
      key: equal for layers that compute the same but for their weights.
      call: what is computed. If it draws (`spaces/draws.py`), each layer computes for itself.
      arguments: tensors.
    """
    graph = tf.compat.v1.get_default_graph()
    collection = graph.get_collection_ref(_COLLECTION)
    if not collection:
        collection.append({})
    shapes = tuple((tuple(value.shape), value.dtype) for value in arguments)
    functions, key = collection[0], (key, shapes, current(), is_one_hot(), are_constant())
    if key not in functions:
        functions[key] = _Traced(layer, call, arguments)
    if functions[key].draws:
        return call(layer, *arguments)
    return functions[key](layer, arguments)
