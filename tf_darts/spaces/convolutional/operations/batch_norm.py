"""Batch normalisation with the settings of this space, differentiable twice (float64: always)."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from tf_darts.runtime import collectives, long_lists
from tf_darts.runtime.precision import full, like
from tf_darts.spaces.fast_forms import fast_form
from tf_darts.spaces.known_statistics import known

MOMENTUM = 0.9  # the share of the old running statistics that a step keeps
EPSILON = 1e-5


def normalize_batch(
    inputs: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Normalises each channel by its own mean and variance over batch, height and width.

    The batch is that of all replicas together (`collectives`).

    Args:
      inputs: [B, H, W, C], or 16 bits wide.
      scale: [C], multiplies what is normalised.
      offset: [C], is added then.

    Returns:
      The result, the means [C] and the unbiased variances [C].
    """
    if (fast := fast_form(BatchNorm, inputs, scale, offset)) is not None:
        return fast()
    x = full(inputs)
    mean, variance = collectives.all_moments(x, [0, 1, 2])
    factor = scale * tf.math.rsqrt(variance + EPSILON)
    count = tf.cast(tf.size(inputs, tf.int64) // tf.size(mean, tf.int64), x.dtype)
    count *= tf.cast(collectives.norm_replicas(), x.dtype)
    # A single pixel has no unbiased variance.
    unbiased = variance * count / tf.maximum(count - 1.0, 1.0)
    return like((x - mean) * factor + offset, inputs), mean, unbiased


class StatisticsLedger:
    """While it is open, batch norms write what they measured here and move no running statistics.

    A supernet has a thousand of them; at the end, all are moved by a few operations:

      >>> layer = BatchNorm()
      >>> with StatisticsLedger() as ledger:
      ...     outputs = layer(tf.random.normal([8, 4, 4, 16]), training=True)
      >>> [value.shape for value in ledger.new_statistics([layer.running_mean])]
      [TensorShape([16])]
    """

    _here: ClassVar[threading.local] = threading.local()  # replicas are traced in threads

    def __init__(self) -> None:
        self._values: list[tf.Tensor] = []
        self._owners: list[tuple[Sequence[keras.Variable], bool]] = []  # of each, and if shared
        self._starts: dict[int, int] = {}  # by id of the variable, where its value begins
        self._size = 0

    def __enter__(self) -> "StatisticsLedger":
        self._outer, self._here.ledger = self._current(), self
        return self

    def __exit__(self, *exception: object) -> None:
        self._here.ledger = self._outer

    @classmethod
    def _current(cls) -> "StatisticsLedger | None":
        return getattr(cls._here, "ledger", None)

    @classmethod
    def record(
        cls, variables: Sequence[keras.Variable], values: tf.Tensor, *, shared: bool = False
    ) -> None:
        """Running statistics [C] of layers side by side, and what a batch's were, [layers·C].

        Args:
          variables: of each layer.
          values: one after another; or [C], the same for all, if `shared`.
          shared: see `values`.
        """
        ledger = cls._current()
        if ledger is not None:
            ledger._write(variables, values, shared)
            return
        parts = [values] * len(variables) if shared else tf.split(values, len(variables))
        for variable, value in zip(variables, parts, strict=True):
            variable.assign(_running_average(tf.convert_to_tensor(variable), value))

    def _write(self, variables: Sequence[keras.Variable], values: tf.Tensor, shared: bool) -> None:
        for i, variable in enumerate(variables):
            offset = 0 if shared else i * variable.shape[0]
            self._starts[id(variable)] = self._size + offset
        self._values.append(values)
        self._owners.append((variables, shared))
        self._size += values.shape[0]

    @property
    def values(self) -> list[tf.Tensor]:
        """What was recorded, one after another."""
        return list(self._values)

    def hand_over(
        self,
        values: Sequence[tf.Tensor],
        own: Mapping[int, keras.Variable] | None = None,
    ) -> None:
        """Records `values` in place of this ledger's own where that is right when it is closed.

        Args:
          values: as in `values`.
          own: by id of a variable, the one that is moved in its place; None: itself.
        """
        for (variables, shared), value in zip(self._owners, values, strict=True):
            moved = variables if own is None else [own[id(variable)] for variable in variables]
            self.record(moved, value, shared=shared)

    def __contains__(self, variable: keras.Variable) -> bool:
        return id(variable) in self._starts

    def measured(self, variables: Sequence[keras.Variable]) -> tf.Tensor:
        """What was recorded for running statistics, one after another."""
        places = [
            np.arange(variable.shape[0]) + self._starts[id(variable)] for variable in variables
        ]
        return tf.gather(long_lists.concat(self._values), np.concatenate(places))

    def new_statistics(self, variables: Sequence[keras.Variable]) -> long_lists.Parts:
        """The new values of running statistics, all of which were recorded."""
        old = known(variables)
        if old is None:
            old = long_lists.concat([tf.convert_to_tensor(variable) for variable in variables])
        lengths = [variable.shape[0] for variable in variables]
        new = _running_average(old, self.measured(variables))
        return long_lists.Parts(long_lists.split(new, lengths), new)


def _running_average(old: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
    return MOMENTUM * old + (1.0 - MOMENTUM) * tf.stop_gradient(batch)


def normalize(
    inputs: tf.Tensor,
    layers: "Sequence[BatchNorm]",
    scale: tf.Tensor,
    offset: tf.Tensor,
    training: bool,
    bias: tf.Tensor | None = None,
) -> tf.Tensor:
    """Several batch norms at once, of channels that stand side by side.

    In training, a single layer's worth of channels may stand for all the layers: they see the same.
    A bias that a convolution would have added goes with the mean there, so it only moves what is
    measured.

    Args:
      inputs: [B, H, W, layers·C], or in training [B, H, W, C].
      layers: whose running statistics are used, or moved in training.
      scale: of the inputs' channels.
      offset: of the inputs' channels.
      training: by the batch's own statistics, or by the running ones.
      bias: what is missing in `inputs`, of their channels; None: nothing.
    """
    names = ("running_mean", "running_variance")
    running = [[getattr(layer, name) for layer in layers] for name in names]
    if not training:
        mean, variance = (
            tf.concat([tf.convert_to_tensor(variable) for variable in variables], axis=0)
            for variables in running
        )
        if bias is not None:
            mean -= bias
        factor = scale * tf.math.rsqrt(variance + EPSILON)
        return like(full(inputs) * factor + (offset - mean * factor), inputs)
    outputs, *batch = normalize_batch(inputs, scale, offset)
    if bias is not None:
        batch[0] += bias
    shared = inputs.shape[-1] == running[0][0].shape[0]
    for variables, values in zip(running, batch, strict=True):
        StatisticsLedger.record(variables, values, shared=shared)
    return outputs


class BatchNorm(keras.layers.Layer):
    """Normalises each channel over batch, height and width (docs/method.md section 4).

    Keras' own layer takes its moments from `tf.nn.moments`, whose second derivatives are wrong.

    Args:
      affine: whether there are a learnable scale and offset, as there are outside the search.

    Examples:
      >>> normalized = BatchNorm(affine=False)(tf.random.normal([8, 4, 4, 16]), training=True)
      >>> float(tf.abs(tf.reduce_mean(normalized))) < 1e-5
      True
    """

    def __init__(self, affine: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.affine = affine

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = (input_shape[-1],)
        if self.affine:
            self.scale = self.add_weight(name="scale", shape=shape, initializer="ones")
            self.offset = self.add_weight(name="offset", shape=shape, initializer="zeros")
        self.running_mean = self.add_weight(
            name="running_mean", shape=shape, initializer="zeros", trainable=False
        )
        self.running_variance = self.add_weight(
            name="running_variance", shape=shape, initializer="ones", trainable=False
        )

    def call(
        self, inputs: tf.Tensor, training: bool = False, bias: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Returns `inputs` [B, H, W, C], normalised by their own or by the running statistics.

        Args:
          inputs: what a convolution gives.
          training: by their own statistics.
          bias: of that convolution [C], not yet added; None: it has none.
        """
        channels, dtype = [inputs.shape[-1]], self.variable_dtype
        scale = tf.convert_to_tensor(self.scale) if self.affine else tf.ones(channels, dtype)
        offset = tf.convert_to_tensor(self.offset) if self.affine else tf.zeros(channels, dtype)
        return normalize(inputs, [self], scale, offset, training, bias)

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        return super().get_config() | {"affine": self.affine}
