"""What pulls on α besides the validation loss: the second door of a search method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from etils import epy

from tf_darts.bilevel.epoch_rules import EpochRule
from tf_darts.bilevel.relaxation import Moment

with epy.lazy_imports():
    import tensorflow as tf

if TYPE_CHECKING:
    from tf_darts.spaces.supernet import Alphas, Mixing


class AlphaTerm(EpochRule):
    """A term of α's objective.

    It depends on α alone, so its gradient is simply added to the hypergradient.

    A member gives `value`, or `gradient` where that is as short. A term is a rule too: a factor
    that depends on what was is measured, and given as one of `Directions.numbers`.
    """

    kind: ClassVar[str] = "alpha_terms"
    needs: ClassVar[tuple[str, ...]] = ("value", "gradient")

    def value(self, alphas: Alphas, mixing: Mixing, moment: Moment) -> tf.Tensor:
        """The term, a scalar.

        Args:
          alphas: the architecture parameters.
          mixing: the mixing weights that α's step made of them, without the edges' factors.
          moment: where the search stands.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say its value")

    def gradient(self, alphas: Alphas, mixing: Mixing, moment: Moment) -> Mapping[str, tf.Tensor]:
        """The term's gradient by α, like α; by default `NotImplemented`: by a tape."""
        return NotImplemented


class WeightDecay(AlphaTerm):
    """½·decay·‖α‖², which every search has: `--alpha_weight_decay`. It is no choice of its own.

    Args:
      decay: its factor.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay

    def gradient(self, alphas: Alphas, mixing: Mixing, moment: Moment) -> Mapping[str, tf.Tensor]:
        del mixing, moment
        return {name: self.decay * tf.convert_to_tensor(alpha) for name, alpha in alphas.items()}
