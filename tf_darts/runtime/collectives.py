"""Sums over the replicas that compute together, in any graph: in a loop, in a gradient, in its own.

`tf.distribute.ReplicaContext.all_reduce` may not be called inside a loop or a nested function,
where a recurrent cell normalises its states. These are the operations that it is made of.
"""

import itertools
import threading
from typing import Any

import tensorflow as tf

_GROUP = 0x0DA27500  # plus the number of replicas: groups of TensorFlow's own begin at 0
# Every operation of a program has a number, and the same one in all replicas and workers: they
# build the same graphs in the same order.
_numbers = itertools.count(0x10000000)
_thread = threading.local()


class ReplicaScope:
    """While it is open, what is traced runs in so many replicas at once.

    >>> with ReplicaScope(2):
    ...     replicas()
    2
    """

    def __init__(self, count: int) -> None:
        self._count = count

    def __enter__(self) -> None:
        self._outer, _thread.count = replicas(), self._count

    def __exit__(self, *exception: object) -> None:
        _thread.count = self._outer


def replicas() -> int:
    """How many replicas compute together what is being traced: 1, or as `ReplicaScope` says."""
    return getattr(_thread, "count", 1)


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
        ordering_token=[],
    )


def _reduced(x: tf.Tensor, count: int) -> tf.Tensor:
    return tf.raw_ops.CollectiveReduceV2(
        input=x,
        group_size=count,
        group_key=_GROUP + count,
        instance_key=next(_numbers),
        ordering_token=[],
        merge_op="Add",
        final_op="Id",
    )


@tf.RegisterGradient("CollectiveReduceV2")
def _gradient_of_sum(op: tf.Operation, upstream: tf.Tensor) -> list[Any]:
    """The sum reaches every replica, so what flows back is the sum of what each sends."""
    return [_reduced(upstream, replicas()), *[None] * (len(op.inputs) - 1)]
