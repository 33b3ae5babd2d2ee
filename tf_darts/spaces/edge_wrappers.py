"""What an edge may be besides its mixture: layers around the mixed operation, in any image space.

Options of edges (`bilevel/edge_options.py`) that change what an edge computes put a layer around
it. Such an edge takes a row that is longer than that of its mixing weights:

    [mixing weights | numbers of the innermost wrapper | ... | of the outermost | the edge's factor]

so whatever hands tables [edges, columns] on to the cells need not know of them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import keras
import tensorflow as tf

from tf_darts.config import methods
from tf_darts.config.setting import fields
from tf_darts.runtime.precision import like

# Makes an edge's layer for so many channels of inputs and outputs.
EdgeMaker = Callable[[int], keras.layers.Layer]


class EdgePlace(NamedTuple):
    """An edge that is to be made.

    Attributes:
      channels: C of what comes in and goes out.
      stride: 1 or 2.
      operations: the candidates, in the order of the mixing weights.
      seed: integer for the initial weights; None draws from Keras' global generator.
      dtype: of the cell, a Keras policy or its name.
    """

    channels: int
    stride: int
    operations: tuple[str, ...]
    seed: int | None
    dtype: Any


class EdgeWrapper(Protocol):
    """What cells know of an option of edges.

    Attributes:
      numbers: how many of an edge's row are its own.
    """

    numbers: int

    def wrapped(self, make: EdgeMaker, place: EdgePlace) -> EdgeMaker:
        """Makes of what makes an edge's layer what makes another one around it."""


class WrappedEdge(keras.layers.Layer):
    """An edge around another one.

    Args:
      inner: the layer inside, called as `inner(inputs, mixing, training=...)`.
    """

    def __init__(self, inner: keras.layers.Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = inner

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.inner.build(input_shape)

    @property
    def operations(self) -> Any:
        """The candidates, as the innermost layer has them."""
        return self.inner.operations

    @property
    def stride(self) -> int:
        """Of the edge."""
        return self.inner.stride


class FactoredEdge(WrappedEdge):
    """An edge whose whole output is multiplied by the last number of its row."""

    def call(self, inputs: tf.Tensor, mixing: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns factor · inner(inputs).

        Args:
          inputs: [B, H, W, C].
          mixing: the inner edge's row, and the factor behind it.
          training: batch or running statistics.
        """
        outputs = self.inner(inputs, mixing[:-1], training=training)
        return like(mixing[-1], outputs) * outputs


def make_edge(
    make: EdgeMaker, place: EdgePlace, wrappers: Sequence[EdgeWrapper], name: str
) -> keras.layers.Layer:
    """An edge's layer with all that is around it; without wrappers, the mixed operation itself.

    Args:
      make: makes the mixed operation.
      place: of the edge.
      wrappers: the innermost first.
      name: of the factor's layer.
    """
    if not wrappers:
        return make(place.channels)
    for wrapper in wrappers:
        make = wrapper.wrapped(make, place)
    return FactoredEdge(make(place.channels), dtype=place.dtype, name=name)


def wrapping_options(config: Any) -> tuple[EdgeWrapper, ...]:
    """Of a search's edge options those that are around its edges."""
    return tuple(part for part in config.make_parts("edge_options") if part.wraps())


def further_columns(wrappers: Sequence[EdgeWrapper]) -> int:
    """How many numbers follow the mixing weights in the rows of edges with these wrappers."""
    return sum(wrapper.numbers for wrapper in wrappers) + 1 if wrappers else 0


def rows(
    mixing: Mapping[str, tf.Tensor],
    numbers: Sequence[tf.Tensor],
    factors: Mapping[str, tf.Tensor] | None,
) -> dict[str, tf.Tensor]:
    """The rows that wrapped edges take, [edges, columns] for each kind of cell.

    Args:
      mixing: the mixing weights, [edges, operations] for each kind of cell.
      numbers: the wrappers', scalars, alike for all edges.
      factors: [edges] for each kind of cell; None: 1.
    """
    tables = {}
    for kind, table in mixing.items():
        edges = table.shape[0]
        shared = [tf.fill([edges, 1], tf.cast(number, table.dtype)) for number in numbers]
        factor = tf.ones([edges], table.dtype) if factors is None else factors[kind]
        tables[kind] = tf.concat([table, *shared, factor[:, tf.newaxis]], axis=1)
    return tables


def wrappers_config(wrappers: Sequence[Any]) -> list[dict[str, Any]]:
    """Registered options as JSON types, for a layer's `get_config`."""
    return [
        {"name": part.name} | {name: getattr(part, name) for name in fields(part)}
        for part in wrappers
    ]


def wrappers_from(options: Sequence[Any]) -> tuple[EdgeWrapper, ...]:
    """Options, or what `wrappers_config` made of them."""
    return tuple(
        methods.find_parts("edge_options", part["name"])[0](
            **{name: value for name, value in part.items() if name != "name"}
        )
        if isinstance(part, Mapping)
        else part
        for part in options
    )
