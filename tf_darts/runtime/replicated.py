"""One function in all replicas at once, of which none blocks another."""

import contextlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.runtime import collectives
from tf_darts.runtime.lean_graphs import lean


class Replicated:
    """A function that runs in all replicas at once; traced once, when it is first called.

    Args:
      strategy: places the replicas.
      handles: by replica, a resource of its own, so that TensorFlow does not put them in a row.
      run_replica: of the replica's number and the arguments; gives what `Replicas.compiled` does.
      signature: `tf.TensorSpec`s of the arguments.
      checks: whether the replicas compare, bit by bit, what they were given and what they found.
      at_sum: is open while a worker computes with the others.

    Attributes:
      share: what one of them runs: of its token, its number and the arguments.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        handles: Any,
        run_replica: Callable[..., tuple[Any, Any]],
        signature: tuple[Any, ...],
        checks: bool,
        at_sum: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self._checks, self._at_sum = checks, at_sum

        def traced(token: tf.Tensor, replica: tf.Tensor, *arguments: Any) -> tuple[Any, Any, Any]:
            del token
            # Made here, so that its type is known, for which gradients of loops ask, and its value,
            # which they read.
            order = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[], shared_name="order_of_sums")
            tf.raw_ops.AssignVariableOp(resource=order, value=tf.zeros([]))
            marks = ()
            with collectives.ordered_by(order):
                results = run_replica(replica, *arguments)
                if checks:
                    with collectives.ReplicaScope(strategy.num_replicas_in_sync):
                        mark = _fingerprint((arguments[0], results[0]))
                        marks = collectives.all_gathered(mark[tf.newaxis])
            return (*results, marks)

        # A function that is not inlined: loops in it have the same names in all replicas, by which
        # their operations find one another.
        self.share = share = tf.function(
            lean(traced, closed=True),
            input_signature=(
                tf.TensorSpec([], tf.resource),
                tf.TensorSpec([], tf.int32),
                *signature,
            ),
            autograph=False,
            experimental_attributes={"_noinline": True},
        )

        local_results = strategy.experimental_local_results

        def in_all(*arguments: Any) -> list[Any]:
            concrete = share.get_concrete_function()

            def run_local(token: tf.Tensor) -> tuple[Any, Any, Any]:
                context = tf.distribute.get_replica_context()
                return concrete(token, context.replica_id_in_sync_group, *arguments)

            results = strategy.run(run_local, args=(handles,))
            # Of all of them: where nobody took a replica's results, TensorFlow would drop parts of
            # its computation that the others wait for.
            return [
                tf.nest.map_structure(lambda v, i=i: local_results(v)[i], results)
                for i in range(len(local_results(handles)))
            ]

        self._run = tf.function(in_all, input_signature=signature, autograph=False)

    def __call__(self, *arguments: Any) -> tuple[Any, Any]:
        with self._at_sum():
            means, state, marks = self._run(*arguments)[0]
        if self._checks and len({int(mark) for mark in marks}) > 1:
            raise UserError(
                "the replicas no longer agree, bit by bit, on weights or gradients: one of the"
                " devices computes wrongly, or one worker has other code or data. Start again from"
                " the last checkpoint; if it comes again, leave that device out."
            )
        return means, state


def _fingerprint(structure: Any) -> tf.Tensor:
    """An int64 of all bits of float tensors, weighted by their places."""
    total = tf.zeros([], tf.int64)
    for x in tf.nest.flatten(structure):
        bits = tf.cast(tf.reshape(tf.bitcast(x, tf.int32), [-1]), tf.int64)
        total = 31 * total + tf.reduce_sum(bits * (1 + tf.range(tf.size(bits, tf.int64)) % 8191))
    return total
