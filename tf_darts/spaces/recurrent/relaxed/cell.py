"""The relaxed recurrent cell as a Keras layer."""

from typing import Any

import keras
import tensorflow as tf

from tf_darts.cells.topologies import recurrent_topology
from tf_darts.runtime import collectives
from tf_darts.runtime.seeds import sub_seed
from tf_darts.spaces.fast_forms import fast_form
from tf_darts.spaces.recurrent.relaxed.recurrence import (
    Recurrence,
    normalize_by,
    relaxed_recurrence,
)
from tf_darts.spaces.recurrent.rematerialized import in_chunks

MOMENTUM = 0.9  # of the running statistics
INITIAL_RANGE = 0.04


def dropout_mask(shape: Any, rate: float, seed: tf.Tensor, dtype: str) -> tf.Tensor:
    """An inverted dropout mask: 0 with probability `rate`, else 1 / (1 - rate)."""
    if rate == 0.0:
        return tf.ones(shape, dtype)
    keep = tf.random.stateless_uniform(shape, seed, dtype=tf.float32) >= rate
    return tf.cast(keep, dtype) / (1.0 - rate)


def initial_uniform(seed: int) -> keras.initializers.Initializer:
    """The initial weights of cell and embedding."""
    return keras.initializers.RandomUniform(-INITIAL_RANGE, INITIAL_RANGE, seed=seed)


class RelaxedRecurrentCell(keras.layers.Layer):
    """A recurrent cell whose every edge is a mixture of operations, run over a sequence.

    Time comes first: inputs are [T, B, U]. One dropout mask per sequence serves all time steps;
    it is made from the `seed` argument, so the same seed means the same masks.

    Args:
      units: U, the width of inputs and states alike.
      nodes: searched nodes after node 0.
      input_dropout: rate of the mask on x ("cell input" in docs/method.md section 5).
      hidden_dropout: rate of the mask on the states.
      seed: integer, for the initial weights.

    Attributes:
      rematerialize: whether chunks of time steps are computed again in the backward pass; it may
        be set.

    Examples:
      >>> cell = RelaxedRecurrentCell(units=16)
      >>> mixing = tf.fill([36, 5], 0.2)
      >>> outputs, hidden = cell(tf.random.normal([7, 4, 16]), tf.zeros([4, 16]), mixing)
      >>> outputs.shape
      TensorShape([7, 4, 16])
    """

    def __init__(
        self,
        units: int,
        nodes: int = 8,
        input_dropout: float = 0.0,
        hidden_dropout: float = 0.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.nodes = nodes
        self.input_dropout = input_dropout
        self.hidden_dropout = hidden_dropout
        self.seed = seed
        self.rematerialize = False
        self.topology = recurrent_topology(nodes)

    def build(self, *shapes: Any) -> None:
        del shapes

        def kernel(name: str, rows: int, index: int) -> keras.Variable:
            initializer = initial_uniform(sub_seed(self.seed, index))
            return self.add_weight(name=name, shape=(rows, 2 * self.units), initializer=initializer)

        self.input_kernel = kernel("input_kernel", 2 * self.units, 0)
        self.node_kernels = [
            kernel(f"node_kernel_{i}", self.units, i) for i in range(1, self.nodes + 1)
        ]
        self.running_mean, self.running_variance = (
            self.add_weight(name=name, shape=(self.units,), initializer=value, trainable=False)
            for name, value in (("running_mean", "zeros"), ("running_variance", "ones"))
        )

    def call(
        self,
        inputs: tf.Tensor,
        hidden: tf.Tensor,
        mixing: tf.Tensor,
        seed: tf.Tensor | None = None,
        training: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the outputs [T, B, U] and the next hidden state [B, U].

        Args:
          inputs: [T, B, U].
          hidden: [B, U].
          mixing: [edges, 5].
          seed: int32 [2], needed in training.
          training: batch statistics and masks, or running statistics and none.
        """
        kernels = [tf.convert_to_tensor(kernel) for kernel in self.node_kernels]
        input_kernel = tf.convert_to_tensor(self.input_kernel)
        if not training:
            normalize = normalize_by(
                tf.convert_to_tensor(self.running_mean),
                tf.convert_to_tensor(self.running_variance),
            )
            no_mask = tf.ones([1, 1], inputs.dtype)
            outputs = relaxed_recurrence(
                inputs, hidden, input_kernel, kernels, mixing, no_mask, no_mask, normalize
            ).outputs
            return outputs, outputs[-1]
        seeds = tf.random.experimental.stateless_split(seed, 2)
        shape = tf.shape(hidden)
        masks = (
            dropout_mask(shape, self.input_dropout, seeds[0], inputs.dtype),
            dropout_mask(shape, self.hidden_dropout, seeds[1], inputs.dtype),
        )

        def run(
            inputs: tf.Tensor,
            hidden: tf.Tensor,
            first: tf.Tensor,
            mixing: tf.Tensor,
            *node_kernels: tf.Tensor,
        ) -> Recurrence:
            arguments = inputs, hidden, first, node_kernels, mixing, *masks
            fast = fast_form(RelaxedRecurrentCell, *arguments)
            return relaxed_recurrence(*arguments) if fast is None else fast()

        arguments = inputs, hidden, input_kernel, mixing, *kernels
        result = Recurrence(*in_chunks(run, *arguments)) if self.rematerialize else run(*arguments)
        batch = tf.cast(collectives.norm_replicas() * shape[0], inputs.dtype)
        self._update(self.running_mean, result.means)
        # The running variance is the unbiased one, which a single sequence has not.
        others = tf.maximum(batch - 1.0, 1.0)
        self._update(self.running_variance, result.variances * batch / others)
        return result.outputs, result.outputs[-1]

    def _update(self, running: keras.Variable, values: tf.Tensor) -> None:
        """Moves `running` [U] as T·(N+1) updates in a row would: by each row of [T, N+1, U]."""
        values = tf.stop_gradient(tf.reshape(values, [-1, self.units]))
        updates = tf.shape(values)[0]
        age = tf.cast(tf.range(updates)[::-1], values.dtype)
        decay = tf.constant(MOMENTUM, values.dtype)
        share = (1.0 - decay) * decay ** age[:, tf.newaxis]
        old_share = decay ** tf.cast(updates, values.dtype)
        running.assign(old_share * running + tf.reduce_sum(share * values, axis=0))

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        return super().get_config() | {
            "units": self.units,
            "nodes": self.nodes,
            "input_dropout": self.input_dropout,
            "hidden_dropout": self.hidden_dropout,
            "seed": self.seed,
        }
