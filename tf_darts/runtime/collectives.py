"""Sums over the replicas that compute together, in any graph: in a loop, in a gradient, in its own.

`tf.distribute.ReplicaContext.all_reduce` may not be called inside a loop or a nested function,
where a recurrent cell normalises its states. These are the operations that it is made of.
"""

import contextlib
import itertools
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from tf_darts.runtime import long_lists

_GROUP = 0x0DA27500  # plus the number of replicas: groups of TensorFlow's own begin at 0
# Every operation of a program has a number, and the same one in all replicas and workers: they
# build the same graphs in the same order.
_numbers = itertools.count(0x10000000)
_thread = threading.local()


class ReplicaScope:
    """While it is open, what is traced runs in so many replicas at once.

    Args:
      count: of replicas.
      index: int32, of the replica that runs it; None: it is not known, and `all_moments` and
        `all_means` cannot be had.
      joint_norms: whether a normalisation takes its moments over all replicas; or each its own.

    >>> with ReplicaScope(2):
    ...     replicas()
    2
    """

    def __init__(
        self, count: int, index: tf.Tensor | None = None, joint_norms: bool = True
    ) -> None:
        self._here = count, index, joint_norms

    def __enter__(self) -> None:
        self._outer, _thread.here = _here(), self._here

    def __exit__(self, *exception: object) -> None:
        _thread.here = self._outer


def _here() -> tuple[int, tf.Tensor | None, bool]:
    return getattr(_thread, "here", (1, None, True))


@contextlib.contextmanager
def ordered_by(token: tf.Tensor) -> Iterator[None]:
    """While it is open, what is summed is summed in the order in which it is traced.

    All replicas trace the same, so none waits for a sum while another waits for the next.

    Args:
      token: a resource of this replica's own; TensorFlow lets no two operations use it at once.
    """
    outer, _thread.tokens = _tokens(), [token]
    try:
        yield
    finally:
        _thread.tokens = outer


def _tokens() -> list[tf.Tensor]:
    return getattr(_thread, "tokens", [])


def replicas() -> int:
    """How many replicas compute together what is being traced: 1, or as `ReplicaScope` says."""
    return _here()[0]


def norm_replicas() -> int:
    """How many replicas' examples a normalisation sees: `replicas`, or 1 if each has its own."""
    count, _, joint_norms = _here()
    return count if joint_norms else 1


def all_sum(x: tf.Tensor) -> tf.Tensor:
    """The sum of all replicas' `x`, bit-identical in all; `x` itself where there is only one.

    It is differentiable as often as one likes: where each replica differentiates its own loss,
    the gradient is that of the sum of all losses.
    """
    return x if replicas() == 1 else _reduced(x, replicas())


def all_mean(x: tf.Tensor) -> tf.Tensor:
    """The mean of all replicas' `x`; see `all_sum`."""
    return x if replicas() == 1 else all_sum(x) / tf.cast(replicas(), x.dtype)


def all_gathered(x: tf.Tensor) -> tf.Tensor:
    """All replicas' `x` one after another along the first axis; not differentiable."""
    count = replicas()
    if count == 1:
        return x
    return tf.raw_ops.CollectiveGatherV2(
        input=x,
        group_size=count,
        group_key=_GROUP + count,
        instance_key=next(_numbers),
        ordering_token=_tokens(),
    )


def all_moments(x: tf.Tensor, axes: Sequence[int]) -> tuple[tf.Tensor, tf.Tensor]:
    """The mean and the biased variance of a normalisation, in one reduction.

    The variance is the mean of the replicas' own, and the variance of their means: nothing large is
    subtracted from anything large. See `norm_replicas` for whose examples are in it.

    Args:
      x: this replica's share; all shares are of one size.
      axes: over which the moments are, the leading ones.
    """
    mean = tf.reduce_mean(x, axis=axes)
    # Not tf.nn.moments: it stops the gradient of the mean inside the variance, which is right
    # once (that term vanishes) but wrong twice, and `exact` differentiates twice.
    variance = tf.reduce_mean(tf.square(x - mean), axis=axes)
    if norm_replicas() == 1:
        return mean, variance
    means, variances = tf.unstack(all_sum(_placed(tf.stack([mean, variance]))), axis=1)
    mean = tf.reduce_mean(means, axis=0)
    return mean, tf.reduce_mean(variances + tf.square(means - mean), axis=0)


def all_means(means: Any, gathered: Any) -> tuple[Any, Any]:
    """What `all_mean` makes of some tensors and `all_gathered` of others, in one reduction.

    There is one for each type of number, however many tensors there are.

    Args:
      means: a structure of floating-point tensors.
      gathered: a structure of tensors of numbers.
    """
    if replicas() == 1:
        return means, gathered
    flat = [*tf.nest.flatten(means), *map(_placed, tf.nest.flatten(gathered))]
    first_gathered = len(tf.nest.flatten(means))
    results = list(flat)
    for dtype in dict.fromkeys(value.dtype for value in flat):
        places = [i for i, value in enumerate(flat) if value.dtype == dtype]
        parts = _unpacked(all_sum(_packed([flat[i] for i in places])), [flat[i] for i in places])
        for i, part in zip(places, parts, strict=True):
            results[i] = part / tf.cast(replicas(), dtype) if i < first_gathered else _joined(part)
    return (
        tf.nest.pack_sequence_as(means, results[:first_gathered]),
        tf.nest.pack_sequence_as(gathered, results[first_gathered:]),
    )


def _placed(x: tf.Tensor) -> tf.Tensor:
    """`x` at this replica's place of [replicas, *x.shape], zeros at the others'.

    Their sum over replicas is all replicas' `x`, exactly, and differentiable as a sum is.
    """
    count, index, _ = _here()
    mine = tf.one_hot(index, count, dtype=tf.bool, on_value=True, off_value=False)
    mine = tf.reshape(mine, [count, *[1] * len(x.shape)])
    return tf.where(mine, x[tf.newaxis], tf.zeros([], x.dtype))


def _joined(x: tf.Tensor) -> tf.Tensor:
    """[replicas, n, …] as [replicas·n, …]."""
    shape = tf.shape(x)
    joined = tf.reshape(x, tf.concat([[shape[0] * shape[1]], shape[2:]], axis=0))
    count, size, *rest = x.shape
    return tf.ensure_shape(joined, [None if size is None else count * size, *rest])


def _packed(values: Sequence[tf.Tensor]) -> tf.Tensor:
    return long_lists.concat([tf.reshape(value, [-1]) for value in values])


def _unpacked(vector: tf.Tensor, like: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    known = all(value.shape.is_fully_defined() for value in like)
    if known:
        parts = long_lists.split(vector, [value.shape.num_elements() for value in like])
    else:
        parts = tf.split(vector, tf.stack([tf.size(value) for value in like]), num=len(like))
    return [
        tf.ensure_shape(tf.reshape(part, tf.shape(value)), value.shape)
        for part, value in zip(parts, like, strict=True)
    ]


def _reduced(x: tf.Tensor, count: int) -> tf.Tensor:
    return tf.raw_ops.CollectiveReduceV2(
        input=x,
        group_size=count,
        group_key=_GROUP + count,
        instance_key=next(_numbers),
        ordering_token=_tokens(),
        merge_op="Add",
        final_op="Id",
    )


@tf.RegisterGradient("CollectiveReduceV2")
def _gradient_of_sum(op: tf.Operation, upstream: tf.Tensor) -> list[Any]:
    """The sum reaches every replica, so what flows back is the sum of what each sends."""
    return [_reduced(upstream, replicas()), *[None] * (len(op.inputs) - 1)]
