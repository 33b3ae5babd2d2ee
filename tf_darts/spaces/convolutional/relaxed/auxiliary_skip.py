"""The auxiliary skip connection of DARTS- (Chu et al., ICLR 2021), beside an edge's mixture."""

from typing import Any

import keras
import tensorflow as tf

from tf_darts.runtime.precision import like
from tf_darts.spaces.convolutional.operations.base import child_seed
from tf_darts.spaces.convolutional.operations.registry import make_operation
from tf_darts.spaces.edge_wrappers import EdgePlace, WrappedEdge


class AuxiliarySkip(WrappedEdge):
    """inner(x) + β·x; at stride 2 β times a factorized reduction of x with weights of its own.

    Args:
      inner: the edge.
      channels: C.
      place: of the edge.
    """

    def __init__(
        self, inner: keras.layers.Layer, channels: int, place: EdgePlace, **kwargs: Any
    ) -> None:
        super().__init__(inner, dtype=place.dtype, **kwargs)
        self.skip = make_operation(
            "skip_connect",
            channels,
            stride=place.stride,
            affine=False,
            seed=child_seed(place.seed, "auxiliary_skip"),
            dtype=place.dtype,
            name="auxiliary_skip",
        )

    @property
    def stride(self) -> int:
        return self.skip.stride

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.skip.build(input_shape)

    def call(self, inputs: tf.Tensor, mixing: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the edge's output [B, H', W', C].

        Args:
          inputs: [B, H, W, C].
          mixing: the inner edge's row, and β behind it.
          training: batch or running statistics.
        """
        outputs = self.inner(inputs, mixing[:-1], training=training)
        return outputs + like(mixing[-1], outputs) * self.skip(inputs, training=training)
