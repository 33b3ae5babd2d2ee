"""Partial channels (PC-DARTS, Xu et al., ICLR 2020): operations see some of an edge's channels."""

from typing import Any

import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.spaces.edge_wrappers import EdgeMaker, WrappedEdge


class PartialEdge(WrappedEdge):
    """y = shuffle_K(the inner edge of the first C/K channels, then the others as they are).

    At stride 2 the others go through 2×2 max pooling, which leaves out nothing: at odd sizes the
    last windows are smaller, since operations of stride 2 give ⌈H/2⌉ rows. The shuffle is what
    brings other channels to the operations of the next node.

    Args:
      make: gives the inner edge for C/K channels.
      channels: C.
      parts: K.
      stride: 1 or 2.

    Raises:
      UserError: K does not divide C.
    """

    def __init__(
        self, make: EdgeMaker, channels: int, parts: int, stride: int = 1, **kwargs: Any
    ) -> None:
        if channels % parts:
            raise UserError(
                f"partial_channels={parts} does not divide the {channels} channels of an edge; give"
                " another number of either."
            )
        super().__init__(make(channels // parts), **kwargs)
        self.channels = channels
        self.parts = parts
        self._stride = stride

    @property
    def stride(self) -> int:
        return self._stride

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.inner.build((*input_shape[:-1], self.channels // self.parts))

    def call(self, inputs: tf.Tensor, mixing: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the edge's output [B, H', W', C].

        Args:
          inputs: [B, H, W, C].
          mixing: the inner edge's row.
          training: batch or running statistics.
        """
        first, rest = self.divided(inputs)
        mixed = self.inner(first, mixing, training=training)
        return shuffle(tf.concat([mixed, rest], axis=-1), self.parts)

    def divided(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What the operations see [B, H, W, C/K], and what goes past them [B, H', W', C - C/K]."""
        seen = self.channels // self.parts
        first, rest = tf.split(inputs, [seen, self.channels - seen], axis=-1)
        if self.stride == 2:
            rest = tf.nn.max_pool2d(rest, 2, 2, "SAME")
        return first, rest


def shuffle(values: tf.Tensor, groups: int) -> tf.Tensor:
    """The channels of K groups in turn: out[g·K + k] = in[k·C/K + g].

    Args:
      values: [..., C].
      groups: K, which divides C; the inverse is the shuffle with C/K groups.

    Examples:
      >>> shuffle(tf.range(8)[tf.newaxis], 4).numpy()
      array([[0, 2, 4, 6, 1, 3, 5, 7]], dtype=int32)
    """
    *outer, channels = values.shape
    shape = [-1 if size is None else size for size in outer]
    apart = tf.reshape(values, [-1, groups, channels // groups])
    return tf.reshape(tf.transpose(apart, [0, 2, 1]), [*shape, channels])
