"""The compiled derivatives of a supernet's losses.

A step needs up to five gradients of a supernet. A graph of the whole step would hold the supernet
five times; here each kind of derivative (by w, by α, by both) is traced and optimised once.
"""

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_darts.bilevel.loss import Gradients, Loss
from tf_darts.bilevel.relaxation import Moment, Relaxation, beginning
from tf_darts.bilevel.supernet_loss import LossOutputs, LossParts, SupernetLoss
from tf_darts.runtime import whole_programs
from tf_darts.runtime.busy import busy
from tf_darts.runtime.graph_copies import GraphCopy
from tf_darts.runtime.lean_graphs import lean
from tf_darts.runtime.precision import Precision, current, using
from tf_darts.runtime.replicas import SINGLE_REPLICA, BatchFunction, Replicas
from tf_darts.runtime.signals import stop_here
from tf_darts.spaces.known_statistics import known_statistics
from tf_darts.spaces.sampled import one_hot_mixing
from tf_darts.spaces.supernet import Alphas, State, Supernet, Weights

_IN_WORDS = {  # by kind of derivative
    (False, False): "the loss",
    (True, False): "the gradient by the weights",
    (False, True): "the gradient by alpha",
    (True, True): "the gradient by the weights and alpha",
    "mixed": "the second derivative by alpha and the weights",
    "hessian": "the second derivative by alpha",
}


@dataclasses.dataclass(frozen=True)
class CompiledLoss(SupernetLoss):
    """The same, computed by compiled functions, and in parts by the replicas.

    Attributes:
      losses: of which supernet, with the functions.
      precision: in which it is computed.
      factor: by which it is multiplied; None: 1.
    """

    losses: "SupernetLosses"
    precision: Precision
    factor: tf.Variable | None = None

    def value(self, weights: Weights, alphas: Alphas) -> tuple[tf.Tensor, LossOutputs]:
        return self.gradients(weights, alphas, of_weights=False, of_alphas=False)[:2]

    def gradients(
        self, weights: Weights, alphas: Alphas, *, of_weights: bool = True, of_alphas: bool = True
    ) -> Gradients:
        kind, of_part, point = self._gradients_of_part(weights, alphas, of_weights, of_alphas)
        gradients, state = self._compiled(kind, of_part, point)
        return gradients._replace(auxiliary=gradients.auxiliary._replace(state=state))

    def trace_gradients(
        self, weights: Weights, alphas: Alphas, *, of_weights: bool, of_alphas: bool
    ) -> None:
        """Traces what `gradients` of the same arguments will call; nothing is computed."""
        kind, of_part, point = self._gradients_of_part(weights, alphas, of_weights, of_alphas)
        function = self.losses.compiled(self._key(kind), of_part, self._arguments(point))
        with using(self.precision), one_hot_mixing(self.losses.relaxation.one_hot):
            whole_programs.trace(function)

    def _gradients_of_part(
        self, weights: Weights, alphas: Alphas, of_weights: bool, of_alphas: bool
    ) -> tuple[Hashable, BatchFunction, Any]:
        of_alphas = of_alphas or (of_weights and self.losses.supernet.joint_gradients)
        kind, point = (of_weights, of_alphas), (list(weights), alphas, self.moment, ())
        if of_weights:
            point = *point[:-1], self.losses.read_statistics()
        elif of_alphas and self._alphas_are_part():
            return kind, self._part_of_both(point), point
        return kind, self._of_kind(*kind), point

    def _of_kind(self, of_weights: bool, of_alphas: bool) -> BatchFunction:
        supernet = self.losses.supernet

        def of_part(point: Any, batch: Any, state: State, seed: tf.Tensor) -> tuple[Any, State]:
            *point, moment, statistics = point
            loss = self._of_part(batch, state, seed, moment)
            known = known_statistics(supernet.statistics, statistics if of_weights else None)
            with known:
                gradients = loss.gradients(*point, of_weights=of_weights, of_alphas=of_alphas)
            outputs = gradients.auxiliary
            kept = outputs._replace(state=())
            if of_alphas and not of_weights:
                kept = kept._replace(statistics=())
            return gradients._replace(auxiliary=kept), outputs.state

        return of_part

    def _alphas_are_part(self) -> bool:
        """Whether ∇_α comes of the trace of both gradients, which w's step has anyway.

        Not where w's step has another loss or another precision, or runs no such trace as one
        graph: TensorFlow drops what nobody asks for from a graph, not from loops and programs.
        """
        losses = self.losses
        return (
            losses.supernet.joint_gradients
            and losses.replicas.parts == 1
            and self.precision == losses.precision
            and not losses.relaxation.one_hot
            and not losses.relaxation.two_phases()
            and not losses.supernet.regularizes
            and not whole_programs.compiles_steps()
        )

    def _part_of_both(self, point: Any) -> BatchFunction:
        """∇_α of the graph that gives both gradients: what leads to it, copied.

        What is run is as if ∇_α had been traced alone, and tracing takes no time. It is traced
        alone where there is no graph to copy: of a program that XLA has refused since, or with
        operations that do more than compute, as an assertion.
        """

        def joint(point: Any) -> Any:  # no running statistics are made of these
            return *point[:-1], tf.zeros(
                [self.losses.statistics_layout.size], keras.config.floatx()
            )

        def alone(results: Any) -> Any:
            gradients, state = results
            outputs = gradients.auxiliary._replace(statistics=())
            return gradients._replace(of_weights=[], auxiliary=outputs), state

        key, arguments = self._key((True, True)), self._arguments(joint(point))
        both = self.losses.compiled(key, self._of_kind(True, True), arguments)

        def part(point: Any, *rest: Any) -> tuple[Any, State]:
            if tf.executing_eagerly():  # as `tf.config.run_functions_eagerly` would have it
                return alone(both(joint(point), *rest))
            try:
                if not hasattr(both, "get_concrete_function"):
                    raise ValueError("a program has no graph to be copied")
                copy = GraphCopy.of(both.get_concrete_function(), alone)
            except ValueError:
                return self._of_kind(False, True)(point, *rest)
            return copy(joint(point), *rest)

        return part

    def mixed_product(self, weights: Weights, alphas: Alphas, vector: Weights) -> list[tf.Tensor]:
        def of_part(point: Any, batch: Any, state: State, seed: tf.Tensor) -> tuple[Any, State]:
            weights, alphas, vector, moment = point
            loss = self._of_part(batch, state, seed, moment)
            return loss.mixed_product(weights, alphas, vector), ()

        point = list(weights), alphas, list(vector), self.moment
        return self._compiled("mixed", of_part, point)[0]

    def hessian_product(
        self, weights: Weights, alphas: Alphas, vector: Sequence[tf.Tensor]
    ) -> list[tf.Tensor]:
        def of_part(point: Any, batch: Any, state: State, seed: tf.Tensor) -> tuple[Any, State]:
            weights, alphas, vector, moment = point
            loss = self._of_part(batch, state, seed, moment)
            return loss.hessian_product(weights, alphas, vector), ()

        point = list(weights), alphas, list(vector), self.moment
        return self._compiled("hessian", of_part, point)[0]

    def times(self, factor: tf.Variable) -> Loss:
        if self.factor is not None:
            return super().times(factor)
        return dataclasses.replace(self, factor=factor)

    @property
    def precise(self) -> Loss:
        """The loss without 16 bits.

        w + εv and w - εv differ by less than most weights' rounding to 16 bits, and so do their
        gradients (docs/performance.md).
        """
        return dataclasses.replace(self, precision=self.precision.full)

    def _of_part(self, batch: Any, state: State, seed: tf.Tensor, moment: Moment) -> Loss:
        """The loss of a replica's part of the batch, inside a compiled function."""
        flags = self.regularized, self.of_weight_step
        if self.losses.replicas.parts > 1:
            moment = moment._replace(part=seed)
        loss = SupernetLoss(self.losses, batch, state, seed, moment, *flags)
        return loss if self.factor is None else loss.times(self.factor)

    def _key(self, kind: Hashable) -> Hashable:
        factor = None if self.factor is None else self.factor.ref()
        return kind, self.regularized, self.of_weight_step, self.precision, factor

    def _arguments(self, point: Any) -> tuple[Any, ...]:
        return point, self.batch, self.state, self.seed

    def _compiled(self, kind: Hashable, of_part: BatchFunction, point: Any) -> Any:
        """Calls the compiled `of_part` of this kind of derivative, made the first time."""
        key, arguments = self._key(kind), self._arguments(point)
        function = self.losses.compiled(key, of_part, arguments)
        with using(self.precision), one_hot_mixing(self.losses.relaxation.one_hot):
            if self.losses.has_called(key):
                return function(*arguments)
            stop_here()
            with busy(f"Compiling {_IN_WORDS[kind]}"):
                whole_programs.trace(function)
                stop_here()
                self.losses.calls(key)
                return function(*arguments)  # its graph is optimised now


class SupernetLosses(LossParts):
    """The losses of a supernet's batches, and their compiled functions.

    Args:
      supernet: whose losses they are.
      replicas: each takes its part of every batch.
      relaxation: makes mixing weights of α; all replicas make the same.

    Attributes:
      replicas: as given.
      precision: in which they are computed, unless they are asked for without 16 bits.
      read_statistics: gives the running statistics as one vector.
    """

    def __init__(
        self,
        supernet: Supernet,
        replicas: Replicas = SINGLE_REPLICA,
        relaxation: Relaxation | None = None,
    ) -> None:
        super().__init__(supernet, relaxation or Relaxation())
        self.read_statistics = tf.function(lean(self._flat_statistics), autograph=False)
        self.replicas = replicas
        self.precision = current()
        self._functions: dict[Hashable, Callable[..., Any]] = {}
        self._making = threading.Lock()  # a function, which two threads may ask for
        self._called: set[Hashable] = set()
        self._ahead: Sequence[Callable[[], None]] = ()

    def for_batch(
        self,
        batch: Any,
        state: State,
        seed: tf.Tensor,
        moment: Moment | None = None,
        *,
        of_weight_step: bool = False,
    ) -> CompiledLoss:
        """The loss of one batch; arguments as in `SupernetLoss`, which is regularised in w's step.

        The two steps share a compiled function where nothing tells them apart.
        """
        regularized = of_weight_step and self.supernet.regularizes
        of_weight_step = of_weight_step and self.relaxation.two_phases()
        moment = beginning() if moment is None else moment
        flags = regularized, of_weight_step
        return CompiledLoss(self, batch, state, seed, moment, *flags, self.precision)

    def _flat_statistics(self) -> tf.Tensor:
        """The running statistics as one vector."""
        return self.statistics_layout.flatten([v.value.value() for v in self.supernet.statistics])

    def trace_meanwhile(self, *traces: Callable[[], None]) -> None:
        """Calls `traces` in a thread, in turn, when the next function has been traced.

        Tracing is Python's work and optimising a graph TensorFlow's, which lets Python go: on two
        cores the one of the next function and the other of this one take the time of the longer.
        """
        self._ahead = traces

    def has_called(self, key: Hashable) -> bool:
        """Whether the function of this key was called, and so is optimised."""
        return key in self._called

    def calls(self, key: Hashable) -> None:
        """The function of this key has been traced, and is called for the first time."""
        self._called.add(key)
        traces, self._ahead = self._ahead, ()
        if not traces:
            return

        def run() -> None:
            for trace in traces:
                if threading.main_thread().is_alive():  # else the program ends
                    with contextlib.suppress(Exception):  # who calls the function will meet it
                        trace()

        # No daemon: TensorFlow aborts a process that ends while a graph is made.
        threading.Thread(target=run, name="tracing").start()

    def compiled(
        self, key: Hashable, of_part: BatchFunction, arguments: tuple[Any, ...]
    ) -> Callable[..., Any]:
        """The compiled function of one kind of derivative; made of `of_part` the first time.

        Args:
          key: tells the kind.
          of_part: of a point, a batch, its state and a seed.
          arguments: of the first call; later ones differ in no size but the batch's.
        """
        with self._making:
            if key not in self._functions:
                point, _, *rest = tf.nest.map_structure(_spec, arguments)
                self._functions[key] = self.replicas.compiled(
                    of_part,
                    (point, self.supernet.batch_signature, *rest),
                    repr((key, type(self.relaxation).__qualname__)),
                    batch_axis=self.supernet.batch_axis,
                )
            return self._functions[key]


def _spec(value: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec(value.shape, value.dtype)
