"""The training pass of a derived network's cells, faster: images side by side in the channels.

The numbers and the weights are those of the cells' own `call`. CPU kernels want channels in
multiples of 16, and the paper's network has 36: so k images share a place in the batch,
[B/k, H, W, k·C].
What is done to each channel (ReLU, pooling, a depthwise convolution whose filter is there k times)
does not see the difference, a 1×1 convolution reads the same memory as [B·H·W, C], and the batch
norm folds what it measures (`folded_norm.py`). A ReLU is computed once for all that read a
node, and drop-path is part of the last batch norm. An operation that has no line in `_OPERATIONS`
is computed by its layer. There is no second derivative.
"""

from collections.abc import Callable, Iterator, Sequence

import keras
import tensorflow as tf

from tf_darts.accelerate.convolutional.folded_norm import folded_norm
from tf_darts.runtime import collectives
from tf_darts.runtime.precision import current
from tf_darts.spaces.convolutional.derived.cell import DerivedCell
from tf_darts.spaces.convolutional.derived.network import DerivedNetwork
from tf_darts.spaces.convolutional.operations.base import Operation
from tf_darts.spaces.convolutional.operations.batch_norm import BatchNorm
from tf_darts.spaces.convolutional.operations.convolutions import (
    DepthwiseSeparable,
    DilatedConvolution,
    FactorizedReduction,
    ReluConvBatchNorm,
    SeparableConvolution,
    depthwise,
    even_and_odd,
    pointwise,
)
from tf_darts.spaces.convolutional.operations.pooling import AveragePooling, MaxPooling, Pooling
from tf_darts.spaces.convolutional.operations.registry import Identity
from tf_darts.spaces.fast_forms import register

_CHANNEL_MULTIPLE = 16  # which the kernels of batch norms and depthwise convolutions want
_MOST_IMAGES = 4  # images side by side


def images_side_by_side(channels: int, batch: int) -> int:
    """k: the fewest images that divide the batch and whose channels are such a multiple; or 1."""
    for images in range(2, _MOST_IMAGES + 1):
        if channels % _CHANNEL_MULTIPLE == 0:
            break
        if images * channels % _CHANNEL_MULTIPLE == 0 and batch % images == 0:
            return images
    return 1


class Images:
    """A batch of which k images lie side by side.

    Attributes:
      value: [B/k, H, W, k·C].
      side: k.
    """

    def __init__(self, value: tf.Tensor, side: int = 1) -> None:
        self.value = value
        self.side = side
        self._rectified: Images | None = None
        self._by_side: dict[int, Images] = {}

    @property
    def rectified(self) -> "Images":
        """ReLU of it, computed once."""
        if self._rectified is None:
            self._rectified = Images(tf.nn.relu(self.value), self.side)
        return self._rectified

    def by_image(self) -> tf.Tensor:
        """[B/k, H, W·k, C], the same memory."""
        groups, height, width, wide = self.value.shape
        return tf.reshape(self.value, [groups, height, width * self.side, wide // self.side])

    def with_channels(self, by_image: tf.Tensor) -> "Images":
        """Others, of as many pixels, given `by_image`."""
        groups, height, width, _ = self.value.shape
        return Images(tf.reshape(by_image, [groups, height, width, -1]), self.side)

    def with_side(self, side: int) -> "Images":
        """The same images, `side` of them side by side."""
        if side == self.side:
            return self
        if side not in self._by_side:
            self._by_side[side] = Images(self._with_side(side), side)
        return self._by_side[side]

    def _with_side(self, side: int) -> tf.Tensor:
        groups, height, width, wide = self.value.shape
        batch, channels, value = groups * self.side, wide // self.side, self.value
        if self.side > 1:
            value = tf.reshape(value, [groups, height, width, self.side, channels])
            value = tf.transpose(value, [0, 3, 1, 2, 4])
        if side > 1:
            value = tf.reshape(value, [batch // side, side, height, width, channels])
            value = tf.transpose(value, [0, 2, 3, 1, 4])
        return tf.reshape(value, [batch // side, height, width, side * channels])


def _applies(
    network: DerivedNetwork,
    inputs: tuple[tf.Tensor, tf.Tensor],
    factors: Sequence[tf.Tensor] | None,
    training: bool,
    place: int | None,
) -> bool:
    del factors, place
    return (
        training
        and not tf.config.list_physical_devices("GPU")
        and not network.rematerialize
        and inputs[0].shape[0] is not None
        and network.compute_dtype == network.variable_dtype
        and not current().mixed
        and collectives.norm_replicas() == 1
    )


@register(
    DerivedNetwork,
    "training on the CPU, batches of a known size, one type of numbers, no rematerialisation; one"
    " replica: the batch norms fold its moments alone",
    _applies,
    second=False,
)
def derived_stack(
    network: DerivedNetwork,
    inputs: tuple[tf.Tensor, tf.Tensor],
    factors: Sequence[tf.Tensor] | None,
    training: bool,
    place: int | None,
) -> Iterator[tuple[int, tf.Tensor]]:
    """The last cell and that at `place`, if any, each with its output [B, H, W, channels].

    Args:
      network: it is built.
      inputs: of the first cell.
      factors: drop-path's for each cell, or None.
      training: it is.
      place: whose output is read besides the last one's.
    """
    del training
    previous, last = (Images(value) for value in inputs)
    for i, cell in enumerate(network.cells):
        cell_factors = None if factors is None else factors[i]
        previous, last = last, side_by_side_cell(cell, (previous, last), cell_factors)
        if i in (place, len(network.cells) - 1):
            yield i, last.with_side(1).value


def side_by_side_cell(
    cell: DerivedCell, inputs: tuple[Images, Images], factors: tf.Tensor | None
) -> Images:
    """`cell(inputs, factors, training=True)`, of images of a known number.

    Args:
      cell: it is built.
      inputs: the outputs of the cell before the last, and of the last.
      factors: see `DerivedCell.call`.
    """
    batch = inputs[0].value.shape[0] * inputs[0].side
    side = images_side_by_side(cell.channels, batch)
    nodes = [
        _operate(layer, source.with_side(side), None)
        for layer, source in zip(cell.preprocess, inputs, strict=True)
    ]
    rows = iter(range(len(cell.edges)))
    factors = None if factors is None else tf.unstack(factors, len(cell.edges))
    for edges in cell.nodes:
        terms = [
            _operate(cell.edges[row], nodes[source], None if factors is None else factors[row])
            for (_, source), row in zip(edges, rows)  # noqa: B905, the rows go on
        ]
        nodes.append(Images(tf.add_n([term.value for term in terms]), side))
    return _concat_channels([nodes[node] for node in cell.concat])


def _concat_channels(parts: Sequence[Images]) -> Images:
    """Their channels one after another."""
    return parts[0].with_channels(tf.concat([part.by_image() for part in parts], axis=-1))


def _operate(layer: Operation, source: Images, factors: tf.Tensor | None) -> Images:
    """What an edge brings; its images multiplied with `factors` [B], but not an identity's."""
    return _OPERATIONS.get(type(layer), _by_layer)(layer, source, factors)


def _identity(layer: Identity, source: Images, factors: tf.Tensor | None) -> Images:
    del layer, factors
    return source


def _separable(layer: SeparableConvolution, source: Images, factors: tf.Tensor | None) -> Images:
    middle = _norm(layer.first.norm, _spread(layer.first, source.rectified), relu=True)
    return _norm(layer.second.norm, _spread(layer.second, middle), factors)


def _dilated(layer: DilatedConvolution, source: Images, factors: tf.Tensor | None) -> Images:
    return _norm(layer.norm, _spread(layer, source.rectified), factors)


def _spread(layer: DepthwiseSeparable, rectified: Images) -> Images:
    """The depthwise and the 1×1 convolution."""
    kernel = tf.tile(tf.convert_to_tensor(layer.depthwise_kernel), [1, 1, rectified.side, 1])
    value = depthwise(rectified.value, kernel, layer.stride, layer.dilation)
    return _pointwise(Images(value, rectified.side), layer.pointwise_kernel)


def _convolution(layer: ReluConvBatchNorm, source: Images, factors: tf.Tensor | None) -> Images:
    value = source.rectified
    if layer.stride == 2:
        value = Images(even_and_odd(value.value)[0], value.side)
    return _norm(layer.norm, _pointwise(value, layer.kernel), factors)


def _reduction(layer: FactorizedReduction, source: Images, factors: tf.Tensor | None) -> Images:
    even, odd = (Images(value, source.side) for value in even_and_odd(source.rectified.value))
    halves = [_pointwise(even, layer.even_kernel), _pointwise(odd, layer.odd_kernel)]
    return _norm(layer.norm, _concat_channels(halves), factors)


def _pooling(layer: Pooling, source: Images, factors: tf.Tensor | None) -> Images:
    if layer.normalized:
        return _by_layer(layer, source, factors)
    return _apply_factors(Images(layer.pool(source.value), source.side), factors)


def _by_layer(layer: Operation, source: Images, factors: tf.Tensor | None) -> Images:
    """An operation that is told nothing of this layout."""
    result = Images(layer(source.with_side(1).value, training=True))
    return _apply_factors(result.with_side(source.side), factors)


def _pointwise(images: Images, kernel: keras.Variable) -> Images:
    return images.with_channels(pointwise(images.by_image(), kernel))


def _norm(
    layer: BatchNorm, images: Images, factors: tf.Tensor | None = None, relu: bool = False
) -> Images:
    if images.side > 1 and images.value.dtype == tf.float32 and layer.affine:
        return Images(folded_norm(images.value, layer, factors, relu), images.side)
    result = _apply_factors(images.with_channels(layer(images.by_image(), training=True)), factors)
    return result.rectified if relu else result


def _apply_factors(images: Images, factors: tf.Tensor | None) -> Images:
    if factors is None:
        return images
    groups, height, width, wide = images.value.shape
    scaled = tf.reshape(images.value, [groups, height, width, images.side, wide // images.side])
    scaled *= tf.reshape(factors, [groups, 1, 1, images.side, 1])
    return Images(tf.reshape(scaled, [groups, height, width, wide]), images.side)


_OPERATIONS: dict[type[Operation], Callable[..., Images]] = {
    Identity: _identity,
    MaxPooling: _pooling,
    AveragePooling: _pooling,
    SeparableConvolution: _separable,
    DilatedConvolution: _dilated,
    ReluConvBatchNorm: _convolution,
    FactorizedReduction: _reduction,
}
