"""The relaxed cell, computed faster: all edges that leave a node at once.

The numbers and the weights are those of `RelaxedCell.call`. What all edges from a node share
is done once: ReLU, pooling and its batch norm, the order of pixels that dilated taps want. What
they do not share is done side by side: n edges of C channels are n·C channels of one depthwise
convolution, one matrix product, one batch norm. The mixing weight of an operation is the scale of
the batch norm that ends it, so weighting costs nothing. An operation that has no line in
`_SIDE_BY_SIDE` is computed by its layer.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_darts.accelerate.convolutional.side_by_side import (
    Column,
    columns_of,
    concat,
    tile_channels,
    wide_pointwise,
)
from tf_darts.accelerate.convolutional.wrapped_edges import Brought, brought, has_form, joined
from tf_darts.runtime.lean_graphs import constant
from tf_darts.runtime.precision import full, like
from tf_darts.spaces.convolutional.operations.base import Operation
from tf_darts.spaces.convolutional.operations.batch_norm import BatchNorm, normalize
from tf_darts.spaces.convolutional.operations.convolutions import (
    DepthwiseSeparable,
    DilatedConvolution,
    FactorizedReduction,
    SeparableConvolution,
    depthwise,
    even_and_odd,
    pointwise,
)
from tf_darts.spaces.convolutional.operations.pooling import AveragePooling, MaxPooling, Pooling
from tf_darts.spaces.convolutional.operations.registry import Identity, Zero
from tf_darts.spaces.convolutional.relaxed.cell import RelaxedCell
from tf_darts.spaces.fast_forms import register
from tf_darts.spaces.sampled import is_one_hot


class Source:
    """A node, and what its outgoing edges share.

    Attributes:
      value: the node, [B, H, W, C].
      edges: n, how many leave it.
      stride: of all of them.
      training: batch or running statistics.
    """

    def __init__(self, value: tf.Tensor, edges: int, stride: int, training: bool) -> None:
        self.value = value
        self.edges = edges
        self.stride = stride
        self.training = training
        self.rectified = tf.nn.relu(value)
        self._views: dict[str, tf.Tensor] = {}
        self._space_to_batch_terms: list[tf.Tensor] = []
        # Tensors that all edges take alike, and the weight [n] that each gives them.
        self._shared_terms: list[tuple[tf.Tensor, tf.Tensor]] = []

    def norm(
        self,
        inputs: tf.Tensor,
        norms: Sequence[BatchNorm],
        scale: tf.Tensor | None = None,
        bias: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """The edges' batch norms at once; `scale` [n·C] multiplies their results.

        `bias` is what their convolutions would have added, see `normalize`.
        """
        channels = inputs.shape[-1]
        dtype = norms[0].variable_dtype  # not that of activations, which may have 16 bits
        scale = constant(np.ones(channels), dtype) if scale is None else scale
        offset = constant(np.zeros(channels), dtype)
        return normalize(inputs, norms, scale, offset, self.training, bias)

    @functools.cached_property
    def even_and_odd(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Of the rectified node, what reductions read; of the even pixels also dilation 2."""
        return even_and_odd(self.rectified)

    def tiled(self, view: str) -> tf.Tensor:
        """The rectified node n times side by side, [.., .., .., n·C].

        Args:
          view: "all"; "even", every second pixel, which is what dilation 2 at stride 2 sees; or
            "space_to_batch", the four grids of every second pixel one after another,
            [4·B, H/2, W/2, n·C], on which dilation 2 is dilation 1.
        """
        if view not in self._views:
            value = self.rectified
            if view == "even":
                value = self.even_and_odd[0]
            elif view == "space_to_batch":
                value = tf.space_to_batch(value, [2, 2], [[0, 0], [0, 0]])
            self._views[view] = tile_channels(value, self.edges)
        return self._views[view]

    def add_space_to_batch_term(self, value: tf.Tensor) -> None:
        """Something for the edges in the order of that view, [4·B, H/2, W/2, n·C]."""
        self._space_to_batch_terms.append(value)

    def add_shared_term(self, value: tf.Tensor, mixing: tf.Tensor) -> None:
        """All edges take this tensor as it is, [B, H', W', C], weighted by `mixing` [n]."""
        self._shared_terms.append((value, mixing))

    def added_terms(self) -> list[tf.Tensor]:
        """What was added, [B, H', W', n·C]: one tensor for each kind that there was."""
        terms = []
        if self._space_to_batch_terms:
            terms.append(
                tf.batch_to_space(tf.add_n(self._space_to_batch_terms), [2, 2], [[0, 0], [0, 0]])
            )
        if self._shared_terms:
            terms.append(self._weight_shared_terms())
        return terms

    def _weight_shared_terms(self) -> tf.Tensor:
        """The weighted sum of what all edges take alike: a product with scaled unit matrices."""
        values, mixing = zip(*self._shared_terms, strict=True)
        channels, terms = values[0].shape[-1], len(values)
        unit = constant(np.eye(channels)[np.newaxis, :, np.newaxis], mixing[0].dtype)
        weights = tf.reshape(tf.stack(mixing), [terms, 1, self.edges, 1]) * unit
        weights = tf.reshape(weights, [terms * channels, self.edges * channels])
        return pointwise(concat(values, axis=-1), weights)


def _alike(cell: RelaxedCell, *_: Any) -> bool:
    return not (cell.topology.by_edge or is_one_hot()) and has_form(cell.edges[0])


@register(
    RelaxedCell,
    "all edges have the same operations, all of them count, and one option at most",
    _alike,
)
def relaxed_cell(
    cell: RelaxedCell,
    inputs: Sequence[tf.Tensor],
    mixing: tf.Tensor,
    training: bool,
) -> tf.Tensor:
    """`cell(inputs, mixing, training)`, node by node from the first."""
    nodes = cell.given_nodes(inputs, training)
    # What has come together at each searched node.
    arriving: list[list[Brought]] = [[] for _ in range(cell.topology.nodes)]
    input_count = cell.topology.inputs
    for source in range(input_count + cell.topology.nodes - 1):
        if source >= input_count:
            nodes.append(joined(cell.edges[0], arriving[source - input_count]))
        targets = range(max(0, source - input_count + 1), cell.topology.nodes)
        rows = [cell.topology.rows(target).start + source for target in targets]
        edges = [cell.edges[row] for row in rows]
        mixtures = functools.partial(edges_from, stride=edges[0].stride, training=training)
        terms = brought(edges, nodes[source], tf.gather(mixing, rows), mixtures)
        for target, term in zip(targets, terms, strict=True):
            arriving[target].append(term)
    nodes.append(joined(cell.edges[0], arriving[-1]))
    return cell.output_of(nodes)


def edges_from(
    source: tf.Tensor,
    edges: Sequence[Sequence[Operation]],
    mixing: tf.Tensor,
    stride: int,
    training: bool,
) -> list[tf.Tensor]:
    """The mixed operations (eq. 2) of all edges that leave a node.

    Args:
      source: the node, [B, H, W, C].
      edges: for each of n edges its candidate operations, in the order of `mixing`'s columns.
      mixing: [n, operations].
      stride: of all these edges.
      training: batch or running statistics.

    Returns:
      What each edge brings to its target, [B, H', W', C].
    """
    shared = Source(source, len(edges), stride, training)
    terms = []
    columns = columns_of(mixing, source.shape[-1])
    for operations, column in zip(zip(*edges, strict=True), columns, strict=True):
        fuse = _SIDE_BY_SIDE.get(type(operations[0]), _by_layer)
        terms += fuse(shared, operations, column)
    return tf.split(tf.add_n(terms + shared.added_terms()), len(edges), axis=-1)


def _none(source: Source, operations: Sequence[Zero], mixing: Column) -> list[tf.Tensor]:
    del source, operations, mixing
    return []


def _identity(source: Source, operations: Sequence[Identity], mixing: Column) -> list[tf.Tensor]:
    del operations
    source.add_shared_term(source.value, mixing.by_edge)
    return []


def _pooling(source: Source, operations: Sequence[Pooling], mixing: Column) -> list[tf.Tensor]:
    """Pooling and its batch norm depend on the source only: once for all edges."""
    pooled = operations[0].pool(source.value)
    if not operations[0].normalized:
        source.add_shared_term(pooled, mixing.by_edge)
        return []
    norms = [operation.norm for operation in operations]
    if not source.training:
        # The running statistics may differ, where they come from elsewhere.
        return [source.norm(tile_channels(pooled, source.edges), norms, mixing.by_channel)]
    source.add_shared_term(source.norm(pooled, norms), mixing.by_edge)
    return []


def _factorized_reduction(
    source: Source, operations: Sequence[FactorizedReduction], mixing: Column
) -> list[tf.Tensor]:
    """One product: an edge's first half of channels sees the even pixels, the second the odd."""
    halves = []
    for name, columns in (("even_kernel", [0, 1]), ("odd_kernel", [1, 0])):
        kernels = [tf.convert_to_tensor(getattr(op, name)) for op in operations]
        zeros = tf.zeros_like(kernels[0])
        halves.append(concat([(kernel, zeros)[c] for kernel in kernels for c in columns], axis=1))
    pixels = concat(source.even_and_odd, axis=-1)
    wide = pointwise(pixels, concat(halves, axis=0))
    return [source.norm(wide, [operation.norm for operation in operations], mixing.by_channel)]


def _separable(
    source: Source, operations: Sequence[SeparableConvolution], mixing: Column
) -> list[tf.Tensor]:
    first = [operation.first for operation in operations]
    second = [operation.second for operation in operations]
    spread = _depthwise(first, source.tiled("all"), source.stride)
    middle = source.norm(_pointwise(first, spread), [layer.norm for layer in first])
    spread = _depthwise(second, tf.nn.relu(middle))
    wide = _pointwise(second, spread)
    return [source.norm(wide, [layer.norm for layer in second], mixing.by_channel)]


def _dilated(
    source: Source, operations: Sequence[DilatedConvolution], mixing: Column
) -> list[tf.Tensor]:
    norms = [operation.norm for operation in operations]
    height, width = source.value.shape[1:3]
    if source.stride == 2:
        spread = _depthwise(operations, source.tiled("even"))
    elif height % 2 or width % 2:
        spread = _depthwise(operations, source.tiled("all"), dilation=2)
    else:
        spread = _depthwise(operations, source.tiled("space_to_batch"))
        source.add_space_to_batch_term(
            source.norm(_pointwise(operations, spread), norms, mixing.by_channel)
        )
        return []
    return [source.norm(_pointwise(operations, spread), norms, mixing.by_channel)]


def _depthwise(
    layers: Sequence[DepthwiseSeparable], inputs: tf.Tensor, stride: int = 1, dilation: int = 1
) -> tf.Tensor:
    kernels = [tf.convert_to_tensor(layer.depthwise_kernel) for layer in layers]
    return depthwise(inputs, concat(kernels, axis=2), stride, dilation)


def _pointwise(layers: Sequence[DepthwiseSeparable], inputs: tf.Tensor) -> tf.Tensor:
    return wide_pointwise(inputs, [tf.convert_to_tensor(k.pointwise_kernel) for k in layers])


def _by_layer(source: Source, operations: Sequence[Operation], mixing: Column) -> list[tf.Tensor]:
    """Operations that have none of these forms."""
    outputs = [operation(source.value, training=source.training) for operation in operations]
    weighted = [
        like(p * full(y), source.value)
        for p, y in zip(tf.unstack(mixing.by_edge), outputs, strict=True)
    ]
    return [tf.concat(weighted, axis=-1)]


_SIDE_BY_SIDE: dict[type[Operation], Callable[..., list[tf.Tensor]]] = {
    Zero: _none,
    Identity: _identity,
    MaxPooling: _pooling,
    AveragePooling: _pooling,
    FactorizedReduction: _factorized_reduction,
    SeparableConvolution: _separable,
    DilatedConvolution: _dilated,
}
