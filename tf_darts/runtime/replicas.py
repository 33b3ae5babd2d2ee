"""A batch in parts: on several devices at once, and one part after another on each of them.

What is computed of a batch is a function; `Replicas.compiled` makes of it one that gives every
replica its part of the batch and puts the results together. Variables are not touched there: they
are moved once, outside, by what all replicas agree on.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.runtime import collectives, whole_programs
from tf_darts.runtime.batch_parts import BatchFunction, accumulate, cut_part
from tf_darts.runtime.lean_graphs import lean
from tf_darts.runtime.workers import in_words, silent_addresses

_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)
# As TensorFlow lists workers whose heartbeats stopped (for 10 s; it has no public switch for that).
_UNHEALTHY = re.compile(r"^\s*/job:worker/(?:replica:\d+/)?task:(\d+)\s*$", re.MULTILINE)


class Replicas:
    """The replicas of a run; by default there is one.

    Args:
      strategy: places them, `MirroredStrategy` or `MultiWorkerMirroredStrategy`; None for one.
      micro_batches: in how many parts each replica takes its part of a batch, one after another.
      checks: whether every evaluation compares, bit by bit, what the replicas were given (w, α)
        and what they found.
      joint_norms: whether normalisations take their moments over all replicas, as one device
        would; or each replica its own, and the running statistics are the mean of what they would
        be in each.

    Attributes:
      count: how many there are, on all workers together.
      workers: how many processes they are spread over.
      is_chief: whether this process writes the run's files.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy | None = None,
        micro_batches: int = 1,
        checks: bool = False,
        joint_norms: bool = True,
    ) -> None:
        self._strategy = strategy
        self._joint_norms = joint_norms
        self._micro_batches = micro_batches
        self._checks = checks
        self.count, self.workers, self.is_chief = 1, 1, True
        self._addresses: list[str] = []  # HOST:PORT of all workers
        self._others: list[int] = []  # the numbers of the other ones
        self._own_memories = False  # of the replicas: GPUs have one each
        if strategy is None:
            return
        self.count = strategy.num_replicas_in_sync
        devices = strategy.extended.worker_devices
        self._own_memories = all("GPU:" in device.upper() for device in devices)
        resolver = strategy.cluster_resolver
        if resolver is not None:
            self._addresses = resolver.cluster_spec().as_dict()["worker"]
            self.workers = len(self._addresses)
            self.is_chief = resolver.task_id == 0
            self._others = [i for i in range(self.workers) if i != resolver.task_id]
        # One resource for each local replica: operations that share none are put in a row by
        # TensorFlow, and replicas in a row would wait for one another for ever.
        self._tokens = []
        for device in strategy.extended.worker_devices:
            with tf.device(device):
                self._tokens.append(tf.Variable(0.0, trainable=False))
        self._handles = strategy.experimental_distribute_values_from_function(
            lambda context: (
                self._tokens[context.replica_id_in_sync_group % len(self._tokens)].handle
            )
        )
        # Of flags that may differ: nothing to check.
        self._any = self._replicated(self._mean_flag, (tf.TensorSpec([]),), checks=False)

    def _mean_flag(self, replica: tf.Tensor, flag: tf.Tensor) -> tuple[tf.Tensor, tuple[()]]:
        del replica
        with collectives.ReplicaScope(self.count):
            return collectives.all_mean(flag), ()

    @property
    def parts(self) -> int:
        """Into how many equal parts a batch is cut."""
        return self.count * self._micro_batches

    def nearest_batch(self, batch_size: int) -> int:
        """The nearest size that can be cut; of two that are equally near, the larger."""
        return max(1, (2 * batch_size + self.parts) // (2 * self.parts)) * self.parts

    def check_batch(self, batch_size: int, name: str = "batch_size") -> None:
        """Raises `UserError` where a batch cannot be cut into equal parts."""
        parts = self.parts
        if batch_size % parts:
            fits = sorted({max(1, batch_size // parts) * parts, -(-batch_size // parts) * parts})
            ways = " or ".join(f"--{name}={size}" for size in fits)
            ways += ", or --global_batch=round, which takes the nearest"
            ways += ", or --distribution=one_device" if self.count > 1 else ""
            ways += ", or other --micro_batches" if self._micro_batches > 1 else ""
            raise UserError(
                f"--{name}={batch_size} cannot be cut into {parts} equal parts ({self.count}"
                f" replicas, {self._micro_batches} micro-batches each); give a multiple of {parts}:"
                f" {ways}."
            )

    def examples_at_once(self, batch_size: int) -> int:
        """How many examples of a batch share one memory: a GPU's, or this process's."""
        sharing = self.count if self._own_memories else self.workers
        return batch_size // (self._micro_batches * sharing)

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any worker; all of them must ask at the same time."""
        if self.workers == 1:
            return flag
        return bool(self._any(tf.constant(float(flag)))[0] > 0.0)

    def barrier(self) -> None:
        """Waits until all workers are here."""
        self.any(False)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Makes a `UserError` of what happens where another worker is lost."""
        try:
            yield
        except _LOST as error:
            if self.workers == 1:
                raise
            silent = silent_addresses([self._addresses[i] for i in self._others])
            # What is frozen or cut off still listens; TensorFlow has missed its heartbeats.
            unhealthy = {int(i) for i in _UNHEALTHY.findall(str(error))}
            lost = [i for i in self._others if self._addresses[i] in silent or i in unhealthy]
            which = f": {in_words(self._addresses, lost)} is silent" if lost else ""
            raise UserError(
                f"another worker was lost, or did not answer{which}; start all workers again with"
                " the same commands: the run goes on from its last checkpoint."
            ) from error

    def compiled(
        self,
        function: BatchFunction,
        signature: tuple[Any, Any, Any, Any],
        name: str = "",
        *,
        batch_axis: int = 0,
    ) -> Callable[..., tuple[Any, Any]]:
        """A compiled `function(shared, batch, state, seed)`, taken of the parts of a batch.

        Every part gets all of `shared`; its share of the batch, cut along `batch_axis`, and of the
        state, cut along the first axis; and a seed of its own, unless there is only one part. The
        first result is the mean over the parts, the second put together along the first axis.

        Args:
          function: pure; it may sum over replicas by `collectives`.
          signature: `tf.TensorSpec`s of its arguments.
          name: tells it from others of its run; see `whole_programs.compiled`.
          batch_axis: of all tensors of a batch.
        """
        if self.count == self._micro_batches == 1:
            return whole_programs.compiled(function, signature, name)

        def run_replica(replica: tf.Tensor, *arguments: Any) -> tuple[Any, Any]:
            return self._run_replica(function, replica, arguments, batch_axis)

        if self._strategy is None:
            first_replica = tf.zeros([], tf.int32)
            return whole_programs.compiled(
                lambda *arguments: run_replica(first_replica, *arguments), signature, name
            )
        return self._replicated(run_replica, signature, self._checks)

    def _replicated(
        self, run_replica: Callable[..., tuple[Any, Any]], signature: tuple[Any, ...], checks: bool
    ) -> Callable[..., tuple[Any, Any]]:
        return _Replicated(self._strategy, self._handles, run_replica, signature, checks)

    def _run_replica(
        self,
        function: BatchFunction,
        replica: tf.Tensor,
        arguments: tuple[Any, Any, Any, tf.Tensor],
        batch_axis: int,
    ) -> tuple[Any, Any]:
        shared, batch, state, seed = arguments
        with collectives.ReplicaScope(self.count, replica, self._joint_norms):
            batch = cut_part(batch, replica, self.count, batch_axis)
            state = cut_part(state, replica, self.count, 0)
            if self._micro_batches == 1:
                seed = tf.random.experimental.stateless_fold_in(seed, replica)
                means, state = function(shared, batch, state, seed)
            else:
                first = replica * self._micro_batches
                means, state = accumulate(
                    function, self._micro_batches, first, (shared, batch, state, seed), batch_axis
                )
            return collectives.all_means(means, state)


SINGLE_REPLICA = Replicas()


class _Replicated:
    """A function that runs in all replicas at once; traced once, when it is first called.

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
    ) -> None:
        self._checks = checks

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
            lean(traced),
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
