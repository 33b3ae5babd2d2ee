"""From architecture logits α to mixing weights: what makes the choice of operations continuous.

`Relaxation` is the first door of a search method (docs/own_method.md); `methods/` has its members.
TensorFlow is imported when something is first computed: whoever lists the members need not wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from etils import epy

from tf_darts.cells.topology import CellTopology
from tf_darts.config.methods import Part

with epy.lazy_imports():
    import keras
    import tensorflow as tf

    from tf_darts.runtime import seeds

if TYPE_CHECKING:
    from tf_darts.spaces.supernet import Alphas, Mixing


class Moment(NamedTuple):
    """Where a search stands when mixing weights are made.

    All of it is tensors, so nothing is traced again when they change.

    Attributes:
      seed: int32 [2], of whatever the relaxation draws; of each step and phase another.
      progress: scalar, e/T: the share of the search that is over at this epoch's start. It stays 1
        in epochs that a derivation adds.
      ramp: scalar, e/(T-1): 0 in the first epoch and 1 in the last; 0 where there is only one.
      allowed: by kind of cell, 1 for the operations of an edge that may still be chosen and 0 for
        the others, [edges, operations]; {} where all may be. An edge may have lost all of them.
      numbers: scalars by name, what rules say (`Directions.numbers`).
      part: int32 [2], another for each part of a batch (a replica's, a micro-batch), of what is
        drawn for its examples; () where a batch is one part.
    """

    seed: tf.Tensor
    progress: tf.Tensor
    ramp: tf.Tensor
    allowed: Mapping[str, tf.Tensor]
    numbers: Mapping[str, tf.Tensor] = {}
    part: tf.Tensor | tuple[()] = ()

    def seed_of_examples(self, number: int) -> tf.Tensor:
        """The seed, int32 [2], of what is drawn for each example: each part of a batch has its own.

        Args:
          number: tells apart what one search draws.
        """
        fold_in = tf.random.experimental.stateless_fold_in
        seed = fold_in(self.seed, number)
        if isinstance(self.part, tuple):
            return seed
        return fold_in(fold_in(seed, self.part[0]), self.part[1])


def beginning() -> Moment:
    """The moment of a search's first epoch, with a seed of zeros."""
    zero = tf.zeros([], keras.config.floatx())
    return Moment(tf.zeros([2], tf.int32), zero, zero, {})


class Relaxation(Part):
    """How α becomes mixing weights: by the softmax, unless a member says otherwise.

    Every method is a pure function of its arguments: the same seed gives the same mixing weights.

    Attributes:
      normalized: whether each edge's mixing weights sum to 1.
      twice_differentiable: whether they are; the Hessian by α needs it, the mixed derivative of
        second order does not.
      one_hot: whether all mixing weights but one of an edge are 0: only that operation counts
        (`spaces/sampled.py`).
      cools: whether the mixture nears a choice with the epochs, though α stands still: then its
        curvature by α grows too.
    """

    kind: ClassVar[str] = "relaxation"
    normalized: ClassVar[bool] = True
    twice_differentiable: ClassVar[bool] = True
    one_hot: ClassVar[bool] = False
    cools: ClassVar[bool] = False

    def variables(
        self, cells: Mapping[str, CellTopology], scale: float, seed: int
    ) -> dict[str, keras.Variable]:
        """The architecture parameters: a table [edges, operations] for each kind of cell.

        Others may stand beside them, under names of their own.

        Args:
          cells: the topology of each kind of cell.
          scale: standard deviation of what is drawn (`--alpha_scale`).
          seed: the run's.
        """
        return initial_alphas(cells, scale, seed)

    def mixing(self, alphas: Alphas, moment: Moment) -> Mixing:
        """The mixing weights of α's step, [edges, operations] for each kind of cell: eq. 2."""
        return softmax(alphas, moment.allowed)

    def weight_mixing(self, alphas: Alphas, moment: Moment) -> Mixing:
        """The mixing weights of w's step; the same function unless a member says otherwise."""
        return self.mixing(alphas, moment)

    def attack(
        self,
        mixing: Mixing,
        moment: Moment,
        loss: Callable[[Mixing], tf.Tensor],
        gradient: Callable[[Mixing], Mixing],
    ) -> Mixing:
        """The mixing weights of w's step, where they are to hurt it; by default as they are.

        Args:
          mixing: those of `weight_mixing`.
          moment: where the search stands.
          loss: of mixing weights, which need not sum to 1, the loss of w's step on its batch, under
            the same masks each time.
          gradient: the loss's, by the mixing weights.
        """
        del moment, loss, gradient
        return mixing

    def reading(self, alphas: Alphas, moment: Moment) -> Mixing:
        """The mixing weights by which the search is evaluated, and a cell is derived.

        It draws nothing. A relaxation that draws says here what it draws around.
        """
        return self.mixing(alphas, moment)

    def ranking(self, alphas: Alphas, moment: Moment) -> Mixing:
        """The mixing weights by which a cell is derived, and that records and pictures have.

        By default what is read.
        """
        return self.reading(alphas, moment)

    def differentiated(self, alphas: Alphas, moment: Moment) -> Mixing:
        """What `mixing` has the gradient of: itself, unless an estimate goes straight through.

        `NotImplemented`: of nothing that can be computed, as where gradients are implicit and
        right in expectation alone; a test of one's own holds them.
        """
        return self.mixing(alphas, moment)

    def edge_factors(self, alphas: Alphas, moment: Moment) -> Mixing | None:
        """A factor of each edge's whole output, [edges] for each kind of cell; None: 1."""
        del alphas, moment
        return None

    def edge_numbers(self, moment: Moment) -> Sequence[tf.Tensor]:
        """What layers around the edges take (`bilevel/edge_options.py`); a relaxation has none."""
        del moment
        return ()

    @classmethod
    def two_phases(cls) -> bool:
        """Whether w's step has mixing weights of its own."""
        return cls.weight_mixing is not Relaxation.weight_mixing

    @classmethod
    def attacks(cls) -> bool:
        """Whether those depend on the batch."""
        return cls.attack is not Relaxation.attack


class Given(Relaxation):
    """Mixing weights as they are given: what is differentiated by them.

    In α's place it takes `given(mixing, alphas)`; what edges have besides is α's as ever.

    Args:
      relaxation: has the edges' factors and numbers.
    """

    normalized: ClassVar[bool] = False

    def __init__(self, relaxation: Relaxation) -> None:
        self._relaxation = relaxation

    def mixing(self, alphas: Alphas, moment: Moment) -> Mixing:
        return dict(alphas["mixing"])

    def edge_factors(self, alphas: Alphas, moment: Moment) -> Mixing | None:
        return self._relaxation.edge_factors(alphas["alphas"], moment)

    def edge_numbers(self, moment: Moment) -> Sequence[tf.Tensor]:
        return self._relaxation.edge_numbers(moment)


def given(mixing: Mixing, alphas: Alphas) -> dict[str, Any]:
    """Mixing weights and α, as `Given` takes them in α's place."""
    return {"mixing": dict(mixing), "alphas": dict(alphas)}


def initial_alphas(
    cells: Mapping[str, CellTopology], scale: float, seed: int
) -> dict[str, keras.Variable]:
    """Nearly equal logits, `scale`·N(0, 1), for each kind of cell, [edges, operations]."""
    alphas = {}
    for name, topology in cells.items():
        random = np.random.default_rng(seeds.sub_seed(seed, "alpha", name))
        value = scale * random.standard_normal((topology.edges, topology.columns))
        alphas[name] = keras.Variable(value, dtype=keras.config.floatx(), name=f"alpha_{name}")
    return alphas


def softmax(alphas: Alphas, allowed: Mixing | None = None) -> Mixing:
    """Eq. 2: each edge's weights are the softmax of its row of α.

    Args:
      alphas: logits [edges, operations] for each kind of cell.
      allowed: as in `Moment`: the softmax is taken over these; a row without any is all 0.
    """
    if not allowed:
        return {name: tf.nn.softmax(alpha, axis=-1) for name, alpha in alphas.items()}
    return {name: _softmax_over(alphas[name], allowed[name] > 0) for name in allowed}


def _softmax_over(logits: tf.Tensor, allowed: tf.Tensor) -> tf.Tensor:
    # Not -inf: a row of nothing else has no softmax, and its gradient would be no number.
    least = tf.constant(-1e30, logits.dtype)
    weights = tf.nn.softmax(tf.where(allowed, logits, least), axis=-1)
    return tf.where(allowed, weights, tf.zeros_like(weights))


def folded(mixing: Mixing, factors: Mixing | None) -> Mixing:
    """The mixing weights times their edges' factors, for edges that are sums of operations."""
    if factors is None:
        return mixing
    return {name: factors[name][:, tf.newaxis] * table for name, table in mixing.items()}


def entropy(mixing: Mixing, *, normalized: bool = True) -> tf.Tensor:
    """The mean over edges of the entropy of their mixing weights, in nats.

    ln(number of operations) at the start, 0 when every edge has made its choice.

    Args:
      mixing: [edges, operations] for each kind of cell.
      normalized: whether rows sum to 1; otherwise they are made to, and a row of zeros has none.
    """
    tables = list(mixing.values())
    if not normalized:
        tables = [tf.math.divide_no_nan(p, tf.reduce_sum(p, -1, keepdims=True)) for p in tables]
    rows = [-tf.reduce_sum(tf.math.xlogy(p, p), axis=-1) for p in tables]
    return tf.reduce_mean(tf.concat(rows, axis=0))
