"""A batch in parts: on several devices at once, and one part after another on each of them.

What is computed of a batch is a function; `Replicas.compiled` makes of it one that gives every
replica its part of the batch and puts the results together. Variables are not touched there: they
are moved once, outside, by what all replicas agree on.
"""

import contextlib
import json
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.runtime import collectives, whole_programs
from tf_darts.runtime.attendance import Attendance
from tf_darts.runtime.batch_parts import BatchFunction, accumulate, cut_part
from tf_darts.runtime.replicated import Replicated
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

# Workers tell each other so many numbers at once; of a sum all must know the size beforehand.
_BLOCK = 1024
_BYTES = _BLOCK - 2


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
      patience: how many seconds a worker waits for another that runs and does not come to a sum.

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
        patience: float = 600.0,
    ) -> None:
        self._strategy = strategy
        self._joint_norms = joint_norms
        self._micro_batches = micro_batches
        self._checks = checks
        self.count, self.workers, self.is_chief = 1, 1, True
        self._addresses: list[str] = []  # HOST:PORT of all workers
        self._others: list[int] = []  # the numbers of the other ones
        self._own_memories = False  # of the replicas: GPUs have one each
        self._attendance: Attendance | None = None  # of several workers
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
            if self.workers > 1:
                self._attendance = Attendance(self._addresses, resolver.task_id, patience)
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
        self._any = self._replicated(self._mean_of, (tf.TensorSpec([]),), checks=False)
        self._block = self._replicated(self._mean_of, (tf.TensorSpec([_BLOCK]),), checks=False)

    def _mean_of(self, replica: tf.Tensor, numbers: tf.Tensor) -> tuple[tf.Tensor, tuple[()]]:
        del replica
        with collectives.ReplicaScope(self.count):
            return collectives.all_mean(numbers), ()

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

    def chiefs(self, value: Any) -> Any:
        """What the chief gives, in all workers; all of them must give something at the same time.

        Unlike machines measure unlike last bits, by which one worker might decide what another does
        not. So all of them go by what the chief has measured.

        Args:
          value: of what JSON has.
        """
        if self.workers == 1:
            return value
        text, heard = json.dumps(value).encode(), b""
        while True:
            block = text[len(heard) : len(heard) + _BYTES]
            own = np.zeros(_BLOCK, np.float32)
            own[: len(block)] = list(block)
            own[-2:] = len(block), 1
            mean = self._block(tf.constant(own * self.is_chief))[0].numpy()
            chiefs = np.rint(mean / mean[-1]).astype(int)  # the chief may have several replicas
            heard += bytes(chiefs[: chiefs[-2]].tolist())
            if chiefs[-2] < _BYTES:  # the last block is not full
                return json.loads(heard)

    def barrier(self) -> None:
        """Waits until all workers are here."""
        self.any(False)

    def tell_attendance(self, directory: pathlib.Path) -> None:
        """Lets the workers see in a directory of all which of them is late; all must call it."""
        if self._attendance is not None:
            self._attendance.tell(directory)
            self.barrier()  # whoever is late is late from here on

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Makes a `UserError` of what happens where another worker is lost."""
        try:
            yield
        except _LOST as error:
            if self.workers == 1:
                raise
            if self._attendance is not None and self._attendance.missing:
                raise UserError(self._attendance.missing) from error
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
        at_sum = contextlib.nullcontext if self._attendance is None else self._attendance.at_sum
        return Replicated(self._strategy, self._handles, run_replica, signature, checks, at_sum)

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
