"""Dynamic loss scaling: float16 holds no number below 6e-8, and gradients are often smaller.

The loss is multiplied by S before it is differentiated and the gradient divided by S, in float32,
before anything is done with it. A gradient that overflowed because S is too large is thrown away
and taken again at half of S: nothing is assigned in between, so every batch is learnt from and the
unrolled step of the search is never half done.

`keras.optimizers.LossScaleOptimizer` does not fit: it holds the step that it protects, and drops
it; here the same gradients also make w', v and the second-order term, which no optimiser sees.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import tensorflow as tf

from tf_darts.runtime.precision import Precision


class LossScale:
    """S, a power of two, so that scaling rounds nothing.

    Attributes:
      value: float32 scalar, S.
      variables: what a checkpoint must hold.
    """

    INITIAL: ClassVar[float] = 2.0**15  # as in Keras
    GROWTH_STEPS: ClassVar[int] = 2000  # without an overflow, until S is doubled; as in Keras
    LEAST: ClassVar[float] = 1.0  # what overflows here has diverged
    MOST: ClassVar[float] = 2.0**60  # a loss times this is still a float32

    def __init__(self) -> None:
        self.value = tf.Variable(self.INITIAL, trainable=False, name="loss_scale")
        self._good_steps = tf.Variable(0, dtype=tf.int64, trainable=False, name="good_steps")

    @classmethod
    def needed_by(cls, precision: Precision) -> "LossScale | None":
        """One where gradients may underflow, else None."""
        return cls() if precision.scales_losses else None

    @property
    def variables(self) -> dict[str, tf.Variable]:
        return {"value": self.value, "good_steps": self._good_steps}

    def unscaled(self, gradients: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Gradients of S times a loss as those of the loss, float32."""
        factor = 1.0 / self.value
        return [gradient * factor for gradient in gradients]

    def too_large(self, loss: tf.Tensor, gradients: Sequence[tf.Tensor]) -> tf.Tensor:
        """Whether the gradients should be taken again at half of S.

        Args:
          loss: scalar. Where it is no number, S is not to blame.
          gradients: of it.
        """
        numbers = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in gradients])
        return tf.math.is_finite(loss) & ~numbers & (self.value > self.LEAST)

    def halve(self) -> None:
        """After an overflow."""
        self.value.assign(self.value * 0.5)
        self._good_steps.assign(0)

    def retry_until_finite(self, take: Callable[[], Any], too_large: Callable[[Any], bool]) -> Any:
        """What `take()` gives at the first S, halved as often as needed, that is not too large."""
        result = take()
        while too_large(result):
            self.halve()
            result = take()
        return result

    def count_step(self) -> None:
        """A step is done; many in a row without an overflow double S."""
        if int(self._good_steps.assign_add(1)) >= self.GROWTH_STEPS:
            self.value.assign(tf.minimum(self.value * 2.0, self.MOST))
            self._good_steps.assign(0)
