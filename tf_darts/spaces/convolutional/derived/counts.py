"""How large a derived image network is: weights and multiply-adds, by arithmetic alone.

    weights of a convolution = k_h · k_w · inputs/groups · outputs
    its multiply-adds = weights · pixels that come out

Nothing is run and no variable is made, so an unbuilt network will do.
"""

import functools
import itertools
from collections.abc import Iterator, Mapping, Sized
from typing import Any, NamedTuple

import keras
import numpy as np

from tf_darts.cells.costs import Costs
from tf_darts.cells.topology import CellTopology
from tf_darts.errors import UserError, check_count
from tf_darts.spaces.convolutional.derived.auxiliary_head import AuxiliaryHead
from tf_darts.spaces.convolutional.derived.cell import DerivedCell
from tf_darts.spaces.convolutional.derived.network import DerivedNetwork
from tf_darts.spaces.convolutional.derived.stems import ConvBatchNorm, Stem
from tf_darts.spaces.convolutional.operations.convolutions import (
    DepthwiseSeparable,
    FactorizedConvolution,
    FactorizedReduction,
    ReluConvBatchNorm,
    SeparableConvolution,
)
from tf_darts.spaces.convolutional.operations.registry import ADDED, make_operation


class Part(NamedTuple):
    """A convolution, a linear layer, or what is added and scaled.

    Attributes:
      weights: how many.
      uses: how often each takes part in a multiply-add, for one image.
    """

    weights: int
    uses: int


def weight_count(
    network: DerivedNetwork, *, auxiliary: bool = False, image_channels: int = 3
) -> int:
    """The number of trainable weights.

    Args:
      network: built or not.
      auxiliary: whether those of the auxiliary head count; the paper does not count them.
      image_channels: of the images.

    Examples:
      >>> from tf_darts.cells.published import PUBLISHED
      >>> cells = PUBLISHED["convolutional"]["darts_v2"]
      >>> weight_count(CifarNetwork(cells, classes=10))
      3349342
    """
    # They do not depend on the images' size.
    parts = _network(network, (None, 1024, 1024, image_channels), auxiliary)
    return sum(part.weights for part in parts)


def multiply_adds(
    network: DerivedNetwork, image_size: int | tuple[int, int], *, image_channels: int = 3
) -> int:
    """The multiply-adds of convolutions and linear layers to classify one image.

    Batch norms, pooling and additions are not counted, nor is the auxiliary head, which
    classification does without.

    Args:
      network: built or not.
      image_size: height and width in pixels, or both in one.
      image_channels: of the images.

    Raises:
      UserError: these are no such sizes, or it is no such network.
    """
    sized = isinstance(image_size, Sized) and len(image_size) == 2
    size = tuple(image_size) if sized else (image_size, image_size)
    for pixels in size:
        check_count("image_size", pixels, "a side, or each of two,")
    parts = _network(network, (None, *size, image_channels), auxiliary=False)
    return sum(part.weights * part.uses for part in parts)


def counts(network: DerivedNetwork, image_shape: tuple[int, int, int]) -> dict[str, int]:
    """Both by name, without the auxiliary head.

    Args:
      network: built or not.
      image_shape: height, width and channels of an image.
    """
    *size, channels = image_shape
    return {
        "weights": weight_count(network, image_channels=channels),
        "multiply-adds an image": multiply_adds(network, tuple(size), image_channels=channels),
    }


def operation_costs(
    network: DerivedNetwork,
    image_shape: tuple[int, int, int],
    cells: Mapping[str, CellTopology],
) -> Costs:
    """The multiply-adds of each operation on each edge, by the kind of its cells.

    Args:
      network: of any cell; built or not.
      image_shape: height, width and channels of an image.
      cells: the topology of each kind of cell, "normal" and "reduce".
    """

    @functools.cache
    def cost(name: str, channels: int, stride: int, shape: Any) -> int:
        layer = make_operation(name, channels, stride=stride, seed=0)
        return sum(part.weights * part.uses for part in layer_parts(layer, shape))

    tables = {
        kind: np.zeros([topology.edges, topology.columns], np.int64)
        for kind, topology in cells.items()
    }
    for cell, shapes in network.layer_shapes((None, *image_shape)):
        if not isinstance(cell, DerivedCell):
            continue
        kind = "reduce" if cell.reduction else "normal"
        for node in range(cells[kind].nodes):
            for source, row in enumerate(range(cells[kind].edges)[cells[kind].rows(node)]):
                place = cell.channels, cell.edge_stride(source), cell.edge_shape(source, shapes)
                names = cells[kind].operations_of(row)
                tables[kind][row] += [cost(name, *place) for name in names]
    edges = {kind: cell.nodes for kind, cell in network.genotype.cells.items()}
    *size, depth = image_shape
    total = multiply_adds(network, tuple(size), image_channels=depth)
    return Costs.of_total(total, edges, tables, cells)


def _network(network: DerivedNetwork, shape: Any, auxiliary: bool) -> Iterator[Part]:
    if not hasattr(network, "layer_shapes"):
        raise UserError(
            f"What a {type(network).__name__} computes is not counted; give a CifarNetwork or an"
            " ImageNetNetwork."
        )
    check_count("image_channels", shape[-1], "an image")
    for layer, inner in network.layer_shapes(shape):
        if auxiliary or not isinstance(layer, AuxiliaryHead):
            yield from layer_parts(layer, inner)


def layer_parts(layer: keras.layers.Layer, shape: Any) -> Iterator[Part]:
    """The parts of a layer.

    Args:
      layer: of a derived network; built or not.
      shape: of what it gets, [B, H, W, C], or a sequence of shapes.
    """
    if isinstance(layer, DerivedCell | Stem):
        for inner, inner_shape in layer.layer_shapes(shape):
            yield from layer_parts(inner, inner_shape)
    elif isinstance(layer, keras.layers.Dense):
        yield Part(shape[-1] * layer.units, 1)
        yield Part(layer.units, 0)
    elif isinstance(layer, AuxiliaryHead):
        yield from _auxiliary_head(layer, shape)
    elif isinstance(layer, tuple(ADDED.values())):
        yield from itertools.starmap(Part, layer.weight_uses(shape))
    elif isinstance(layer, SeparableConvolution):
        for inner in (layer.first, layer.second):
            yield from layer_parts(inner, shape)
            shape = inner.compute_output_shape(shape)
    else:
        yield from _convolution(layer, shape)


def _convolution(layer: keras.layers.Layer, shape: Any) -> Iterator[Part]:
    """Convolutions and the batch norm behind them; nothing for what has no weights."""
    inputs = shape[-1]
    _, height, width, outputs = layer.compute_output_shape(shape)
    pixels = height * width
    if isinstance(layer, DepthwiseSeparable):
        yield Part(layer.size**2 * inputs, pixels)
        yield Part(inputs * outputs, pixels)
    elif isinstance(layer, FactorizedConvolution):
        # The first has made the columns fewer only.
        yield Part(layer.SIZE * inputs * outputs, shape[1] * width)
        yield Part(layer.SIZE * inputs * outputs, pixels)
    elif isinstance(layer, ReluConvBatchNorm | FactorizedReduction):
        yield Part(inputs * outputs, pixels)
    elif isinstance(layer, ConvBatchNorm):
        yield Part(layer.SIZE**2 * inputs * outputs, pixels)
    else:
        return
    yield _batch_norm(outputs)


def _auxiliary_head(layer: AuxiliaryHead, shape: Any) -> Iterator[Part]:
    height, width = ((pixels - layer.POOL) // layer.stride + 1 for pixels in shape[1:3])
    yield Part(shape[-1] * layer.MIDDLE, height * width)
    yield _batch_norm(layer.MIDDLE)
    output_pixels = (height - layer.SIZE + 1) * (width - layer.SIZE + 1)
    yield Part(layer.SIZE**2 * layer.MIDDLE * layer.FEATURES, output_pixels)
    if layer.normalized:
        yield _batch_norm(layer.FEATURES)
    yield from layer_parts(layer.classifier, (None, layer.FEATURES))


def _batch_norm(channels: int) -> Part:
    """Scale and offset."""
    return Part(2 * channels, 0)
