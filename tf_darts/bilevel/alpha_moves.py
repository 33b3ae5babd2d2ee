"""α's optimiser: Adam on the hypergradient and on whatever else pulls on α."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from tf_darts.bilevel.alpha_terms import AlphaTerm, WeightDecay
from tf_darts.bilevel.epoch_rules import SearchFacts
from tf_darts.bilevel.part_checks import asking, check_gradient, check_value
from tf_darts.bilevel.relaxation import Moment, Relaxation
from tf_darts.config.search import SearchConfig
from tf_darts.optimization.weight_optimizer import WeightOptimizer
from tf_darts.spaces.supernet import Alphas


class AlphaMoves:
    """Moves the architecture parameters by Adam.

    Args:
      alphas: the parameters, keras Variables.
      relaxation: makes of them the mixing weights that terms may read.
      config: names the terms, and has Adam's settings.
      facts: what the terms know of the search.

    Attributes:
      optimizer: Adam, whose state a checkpoint holds.
    """

    def __init__(
        self,
        alphas: Mapping[str, keras.Variable],
        relaxation: Relaxation,
        config: SearchConfig,
        facts: SearchFacts | None = None,
    ) -> None:
        self._alphas = alphas
        self._relaxation = relaxation
        made = config.make_parts("alpha_terms")
        self._terms: tuple[AlphaTerm, ...] = tuple(term.of(facts) for term in made)
        if "alpha_weight_decay" not in config.unused:
            self._terms = (WeightDecay(config.alpha_weight_decay), *self._terms)
        # TensorFlow's form of Adam. NumPy's float64, because Keras makes a float32 of a Python
        # number on its way to the power, and 1 - 0.999 magnifies that.
        betas = np.float64(config.alpha_beta_1), np.float64(config.alpha_beta_2)
        self.optimizer = keras.optimizers.Adam(config.alpha_learning_rate, *betas, epsilon=1e-8)
        self.optimizer.build(list(alphas.values()))
        self._clipping = WeightOptimizer(clip_norm=config.alpha_clip_norm)
        self._pull = tf.function(self.pull, autograph=False)
        self._apply = tf.function(self._applied, autograph=False)

    def pull(self, alphas: Alphas, moment: Moment) -> dict[str, tf.Tensor]:
        """The sum of the terms' gradients, like α."""
        total: dict[str, tf.Tensor] = {}
        for term in self._terms:
            for name, gradient in self._gradient(term, alphas, moment).items():
                total[name] = total[name] + gradient if name in total else gradient
        return total

    def _gradient(self, term: AlphaTerm, alphas: Alphas, moment: Moment) -> Mapping[str, tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(alphas)
            mixing = self._relaxation.mixing(alphas, moment)
            with asking(term, "gradient"):
                gradient = term.gradient(alphas, mixing, moment)
            if gradient is not NotImplemented:
                check_gradient(term, gradient, alphas)
                return gradient
            with asking(term, "value"):
                value = term.value(alphas, mixing, moment)
            check_value(term, value)
        return tape.gradient(value, alphas, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    def apply(self, gradients: Alphas, moment: Moment) -> None:
        """Takes Adam's step.

        Args:
          gradients: the hypergradient, which is clipped here where the search asks for that.
          moment: where the search stands, with the seed of α's step.
        """
        self._apply(dict(gradients), moment)

    def _applied(self, gradients: Alphas, moment: Moment) -> None:
        flat = [gradients[name] for name in self._alphas]
        if self._clipping.clip_norm:
            factor = self._clipping.clip_factor(tf.linalg.global_norm(flat))
            flat = [factor * gradient for gradient in flat]
        moves, rate = self.with_terms(flat, moment), self.optimizer.learning_rate

        def move(alpha: tf.Variable, gradient: tf.Tensor) -> None:
            self.optimizer.update_step(gradient, alpha, rate)

        # In place of the optimiser's `apply`, which adds up what replicas bring, by a custom
        # gradient: TensorFlow keeps that for ever, and with it this graph. All bring the same.
        extended = tf.distribute.get_strategy().extended
        for alpha, gradient in zip(self._alphas.values(), moves, strict=True):
            extended.update(alpha.value, move, args=(gradient,), group=False)
        self.optimizer.iterations.assign_add(1)

    def with_terms(self, gradients: Sequence[tf.Tensor], moment: Moment) -> list[tf.Tensor]:
        """Gradients of a loss by α, flat, with those of the terms; 0 for what is not allowed."""
        alphas = {name: tf.convert_to_tensor(alpha) for name, alpha in self._alphas.items()}
        pull = self._pull(alphas, moment)
        moves = [
            gradient + pull[name] if name in pull else gradient
            for name, gradient in zip(alphas, gradients, strict=True)
        ]
        # A decision is not taken back: nothing pulls on what is out, not even the weight decay.
        return [
            move * moment.allowed[name] if name in moment.allowed else move
            for name, move in zip(alphas, moves, strict=True)
        ]
