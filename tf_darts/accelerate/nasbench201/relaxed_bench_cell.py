"""The relaxed cell of NAS-Bench-201, computed faster and traced sooner.

All edges that leave a node are computed at once: they share ReLU and pooling, and their
convolutions of one size read the same: they are one convolution, whose output channels are those of
all edges, and one batch norm, whose scale is the mixing weight. It is a third of the layer's
operations. Of a network's 15 cells, 3 are traced: one of each width.
"""

from collections.abc import Sequence

import tensorflow as tf

from tf_darts.accelerate.convolutional.relaxed_cell import Source
from tf_darts.accelerate.convolutional.side_by_side import columns_of, concat
from tf_darts.accelerate.traced_once import can_be_shared, traced_once
from tf_darts.runtime.precision import like
from tf_darts.spaces.fast_forms import register, without
from tf_darts.spaces.nasbench201.cells import RelaxedBenchCell, RelaxedEdge
from tf_darts.spaces.nasbench201.operations import ReluConvNorm, convolve
from tf_darts.spaces.sampled import is_one_hot

_WITHOUT_WEIGHTS = ("skip_connect", "avg_pool_3x3")


def _plain(cell: RelaxedBenchCell) -> bool:
    return isinstance(cell.edges[0], RelaxedEdge)


def _alike(cell: RelaxedBenchCell) -> bool:
    return not (cell.topology.by_edge or is_one_hot())


@register(
    RelaxedBenchCell,
    "no edge options; in a compiled function, one replica, or all edges have the same operations,"
    " and all count",
    lambda cell, *_: _plain(cell) and (can_be_shared() or _alike(cell)),
)
def relaxed_bench_cell(
    cell: RelaxedBenchCell, inputs: tf.Tensor, mixing: tf.Tensor, training: bool
) -> tf.Tensor:
    """`cell(inputs, mixing, training)`; cells of one width are traced once."""
    compute = _edges_at_once if _alike(cell) else _clear
    if not can_be_shared():
        return compute(cell, training, inputs, mixing)
    key = RelaxedBenchCell, cell.channels, cell.topology, training
    return traced_once(
        cell, key, lambda cell, *arguments: compute(cell, training, *arguments), [inputs, mixing]
    )


def _clear(
    cell: RelaxedBenchCell, training: bool, inputs: tf.Tensor, mixing: tf.Tensor
) -> tf.Tensor:
    with without(RelaxedBenchCell):
        return cell.call(inputs, mixing, training)


def _edges_at_once(
    cell: RelaxedBenchCell, training: bool, inputs: tf.Tensor, mixing: tf.Tensor
) -> tf.Tensor:
    """Node by node from the first."""
    topology = cell.topology
    nodes = [inputs]
    arriving: list[list[tf.Tensor]] = [[] for _ in range(topology.nodes)]
    for source in range(topology.nodes):
        targets = range(source, topology.nodes)
        rows = [topology.rows(target).start + source for target in targets]
        shared = Source(nodes[source], len(rows), 1, training)
        edges = [cell.edges[row].operations for row in rows]
        weights = tf.stack([mixing[row] for row in rows])
        columns, wide = columns_of(weights, cell.channels), []
        for column, name, operations in zip(
            columns, topology.operations, zip(*edges, strict=True), strict=True
        ):
            if isinstance(operations[0], ReluConvNorm):
                wide.append(_dense(shared, operations, column.by_channel))
            elif name in _WITHOUT_WEIGHTS:  # the same for all edges
                value = operations[0](shared.value)
                for weight, target in zip(tf.unstack(column.by_edge), targets, strict=True):
                    arriving[target].append(like(weight, value) * value)
        if wide:
            parts = tf.split(tf.add_n(wide), len(rows), axis=-1)
            for target, part in zip(targets, parts, strict=True):
                arriving[target].append(part)
        terms = arriving[source]
        nodes.append(tf.add_n(terms) if terms else tf.zeros_like(inputs))
    return nodes[-1]


def _dense(source: Source, operations: Sequence[ReluConvNorm], scale: tf.Tensor) -> tf.Tensor:
    """Convolutions of one size, [B, H, W, n·C], times mixing weights [n·C]."""

    def of_all(name: str, axis: int) -> tf.Tensor:
        return concat([tf.convert_to_tensor(getattr(o, name)) for o in operations], axis=axis)

    wide = convolve(source.rectified, of_all("kernel", 3))
    bias = None if operations[0].affine else of_all("bias", 0)
    return source.norm(wide, [operation.norm for operation in operations], scale, bias)
