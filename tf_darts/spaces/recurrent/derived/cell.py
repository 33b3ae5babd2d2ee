"""The derived recurrent cell as a Keras layer."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tf_darts.cells.genotype import RecurrentGenotype
from tf_darts.errors import UserError, check_count
from tf_darts.runtime.seeds import sub_seed
from tf_darts.spaces.fast_forms import fast_form
from tf_darts.spaces.recurrent.derived.recurrence import derived_recurrence
from tf_darts.spaces.recurrent.relaxed.cell import dropout_mask, initial_uniform
from tf_darts.spaces.recurrent.rematerialized import in_chunks


def as_genotype(cell: RecurrentGenotype | Mapping[str, Any]) -> RecurrentGenotype:
    """The cell itself, or from the form it has in configurations; raises `UserError` on others."""
    if isinstance(cell, RecurrentGenotype):
        return cell
    if not isinstance(cell, Mapping):
        raise UserError(
            f"A recurrent network cannot be made of a {type(cell).__name__}; give it a recurrent"
            " genotype."
        )
    return RecurrentGenotype.from_dict(dict(cell))


@keras.saving.register_keras_serializable(package="tf_darts")
class DerivedRecurrentCell(keras.layers.Layer):
    """A recurrent cell of a given genotype, run over a sequence; no batch normalisation.

    Time comes first: inputs are [T, B, U]. One dropout mask per sequence serves all time steps;
    it is made from the `seed` argument, so the same seed means the same masks.

    Args:
      genotype: the cell, or its `to_dict()`.
      units: U, the width of inputs and states alike.
      input_dropout: rate of the mask on x ("cell input" in docs/method.md section 5).
      hidden_dropout: rate of the mask on the states.
      seed: integer, for the initial weights.

    Attributes:
      rematerialize: whether chunks of time steps are computed again in the backward pass; it may
        be set.

    Examples:
      >>> cell = DerivedRecurrentCell(PUBLISHED["recurrent"]["darts_v2"], units=16)
      >>> outputs, hidden = cell(tf.random.normal([7, 4, 16]), tf.zeros([4, 16]))
      >>> outputs.shape
      TensorShape([7, 4, 16])
    """

    def __init__(
        self,
        genotype: RecurrentGenotype | Mapping[str, Any],
        units: int,
        input_dropout: float = 0.0,
        hidden_dropout: float = 0.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.genotype = as_genotype(genotype)
        check_count("units", units, "a recurrent cell")
        self.units = units
        self.input_dropout = input_dropout
        self.hidden_dropout = hidden_dropout
        self.seed = seed
        self.rematerialize = False

    def build(self, *shapes: Any, **named_shapes: Any) -> None:
        """Makes the variables; they depend on no shape of the inputs."""
        del shapes, named_shapes

        def kernel(name: str, rows: int, index: int) -> keras.Variable:
            initializer = initial_uniform(sub_seed(self.seed, index))
            return self.add_weight(name=name, shape=(rows, 2 * self.units), initializer=initializer)

        self.input_kernel = kernel("input_kernel", 2 * self.units, 0)
        self.node_kernels = [
            kernel(f"node_kernel_{i}", self.units, i)
            for i in range(1, len(self.genotype.edges) + 1)
        ]

    def call(
        self,
        inputs: tf.Tensor,
        hidden: tf.Tensor,
        seed: tf.Tensor | None = None,
        training: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the outputs [T, B, U] and the next hidden state [B, U].

        Args:
          inputs: [T, B, U].
          hidden: [B, U].
          seed: int32 [2], needed in training.
          training: with dropout, or without.
        """
        rates = (self.input_dropout, self.hidden_dropout) if training else (0.0, 0.0)
        seeds = tf.random.experimental.stateless_split(seed, 2) if training else (None, None)
        masks = [
            dropout_mask(tf.shape(hidden), rate, mask_seed, inputs.dtype)
            for rate, mask_seed in zip(rates, tf.unstack(seeds) if training else seeds, strict=True)
        ]
        kernels = [tf.convert_to_tensor(kernel) for kernel in self.node_kernels]
        input_kernel = tf.convert_to_tensor(self.input_kernel)

        def run(
            inputs: tf.Tensor, hidden: tf.Tensor, first: tf.Tensor, *node_kernels: tf.Tensor
        ) -> list[tf.Tensor]:
            arguments = self.genotype, inputs, hidden, first, node_kernels, *masks
            fast = fast_form(DerivedRecurrentCell, *arguments)
            return [derived_recurrence(*arguments) if fast is None else fast()]

        evaluate = in_chunks if training and self.rematerialize else lambda run, *rest: run(*rest)
        (outputs,) = evaluate(run, inputs, hidden, input_kernel, *kernels)
        return outputs, outputs[-1]

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        return super().get_config() | {
            "genotype": self.genotype.to_dict(),
            "units": self.units,
            "input_dropout": self.input_dropout,
            "hidden_dropout": self.hidden_dropout,
            "seed": self.seed,
        }
