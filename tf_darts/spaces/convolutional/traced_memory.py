"""How much memory the gradients of the image networks take: counted for each kind of cell."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tf_darts.runtime.memory.traced import TracedMemory, traced
from tf_darts.runtime.precision import activations
from tf_darts.spaces.convolutional.operations.batch_norm import StatisticsLedger
from tf_darts.spaces.draws import drawn_by
from tf_darts.spaces.fast_forms import counted

Shape = tuple[int, ...]


class Cell(NamedTuple):
    """A cell with what it gets.

    Attributes:
      layer: a relaxed or derived cell; it is built.
      shapes: of its inputs, [B, H, W, channels], or the shape of its only one.
      output: the shape of what comes out.
      edge_factors: the shape of what else it takes, if anything.
      constant: whether that has no gradient.
    """

    layer: keras.layers.Layer
    shapes: Sequence[Shape] | Shape
    output: Shape
    edge_factors: Shape | None = None
    constant: bool = False

    @property
    def kind(self) -> bool:
        """What cells of one kind have in common but for their size.

        That the cell before one reduces makes no kind: it changes one of its many layers, a
        hundredth of the whole, and counting one more kind takes longer than anything else here.
        """
        return getattr(self.layer, "reduction", False)

    def counted(self, order: int = 1) -> TracedMemory:
        """By `layer_memory`."""
        extra_shapes = [] if self.edge_factors is None else [self.edge_factors]
        return layer_memory(
            self.layer, tuple(self.shapes), extra_shapes, order=order, constant=self.constant
        )


def layer_memory(
    layer: keras.layers.Layer,
    shapes: Any,
    extra_shapes: Sequence[Shape] = (),
    *,
    order: int = 1,
    constant: bool = False,
) -> TracedMemory:
    """Of a layer in training.

    Args:
      layer: it is built.
      shapes: of its first argument: a shape, or a tuple of shapes.
      extra_shapes: of its other arguments.
      order: see `traced`.
      constant: whether the other arguments have no gradient.
    """
    variables, dtype = layer.trainable_variables, layer.compute_dtype
    many_inputs = isinstance(shapes[0], tuple)

    def call(inputs: list[tf.Tensor], extras: list[tf.Tensor], values: list[tf.Tensor]) -> Any:
        if constant:
            extras = [tf.stop_gradient(extra) for extra in extras]
        scope = keras.StatelessScope(list(zip(variables, values, strict=True)))
        with scope, StatisticsLedger(), drawn_by(tf.zeros([2], tf.int32)), counted():
            inputs = [activations(x) for x in inputs]
            return layer(tuple(inputs) if many_inputs else inputs[0], *extras, training=True)

    specs = [
        [tf.TensorSpec(shape, dtype) for shape in group]
        for group in (shapes if many_inputs else [shapes], extra_shapes)
    ]
    weights = [tf.TensorSpec(variable.shape, variable.dtype) for variable in variables]
    return traced(call, *specs, weights, order=order)


def cells_memory(
    cells: Iterable[Cell], *, order: int = 1, rematerialize: bool = False
) -> list[TracedMemory]:
    """Of each of some cells; one of each kind is counted, the others are as it for their size.

    Args:
      cells: from the network's beginning to its end.
      order: see `traced`.
      rematerialize: whether they are computed again in the backward pass.
    """
    kinds: dict[Any, tuple[TracedMemory, int]] = {}
    parts: list[TracedMemory] = []
    second = 1.0  # what second derivatives take, over what first ones do
    for cell in cells:
        layer, numbers, kind = cell.layer, _numbers(cell.output), cell.kind
        if kind not in kinds:
            once = cell.counted()
            if order == 2 and not kinds:
                twice = cell.counted(order=2)
                second = twice.peak / once.peak
            kinds[kind] = once.scaled(second), numbers
        counted_part, of_numbers = kinds[kind]
        part = counted_part.scaled(numbers / of_numbers)
        if rematerialize:
            retained = numbers * activations(tf.zeros([], layer.compute_dtype)).dtype.size
            part = TracedMemory(retained, part.peak, 3 * part.operations // 2)
        parts.append(part)
    return parts


def _numbers(shape: Shape) -> int:
    return tf.TensorShape(shape).num_elements()
