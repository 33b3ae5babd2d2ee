"""The operations on a cell's edges by name, as Keras layers (docs/method.md section 4).

All take and give [B, H, W, C] and keep C; H and W are known when they are built. With stride 2 they
become ceil(H/2) and ceil(W/2). `add_operation` adds one (docs/own_operation.md).
"""

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_darts.cells.genotype import add_primitive, check_primitive_name
from tf_darts.cells.space import find_space
from tf_darts.errors import UserError, check_count, told
from tf_darts.spaces.convolutional.operations.base import Operation, check_operation_name
from tf_darts.spaces.convolutional.operations.convolutions import (
    DilatedConvolution,
    FactorizedConvolution,
    FactorizedReduction,
    SeparableConvolution,
)
from tf_darts.spaces.convolutional.operations.noise import Noise
from tf_darts.spaces.convolutional.operations.pooling import AveragePooling, MaxPooling


class Identity(Operation):
    """Gives back what it gets (`skip_connect` at stride 1)."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        del training
        return inputs


class Zero(Operation):
    """No connection (`none`): zeros of the right size."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        del training
        return tf.zeros_like(inputs[:, :: self.stride, :: self.stride])


def _skip(channels: int, *, stride: int, **kwargs: Any) -> Operation:
    if stride == 1:
        return Identity(stride=1, **kwargs)
    return FactorizedReduction(channels, stride=stride, **kwargs)


def _without_channels(layer: Callable[..., Operation], **settings: Any) -> Callable[..., Operation]:
    """A maker for a layer that keeps the channels, so need not be told their number."""
    return lambda channels, **kwargs: layer(**settings, **kwargs)


def _pooling(layer: Callable[..., Operation]) -> Callable[..., Operation]:
    """In the search, where nothing is affine, a batch norm follows; elsewhere none does."""
    return lambda channels, *, affine, **kwargs: layer(
        normalized=not affine, affine=affine, **kwargs
    )


# (channels, stride=, affine=, seed=, ...) -> layer
OPERATIONS: dict[str, Callable[..., Operation]] = {
    "none": _without_channels(Zero),
    "max_pool_3x3": _pooling(MaxPooling),
    "avg_pool_3x3": _pooling(AveragePooling),
    "skip_connect": _skip,
    "sep_conv_3x3": _without_channels(SeparableConvolution, size=3),
    "sep_conv_5x5": _without_channels(SeparableConvolution, size=5),
    "sep_conv_7x7": _without_channels(SeparableConvolution, size=7),
    "dil_conv_3x3": _without_channels(DilatedConvolution, size=3),
    "dil_conv_5x5": _without_channels(DilatedConvolution, size=5),
    "conv_7x1_1x7": _without_channels(FactorizedConvolution),
    "noise": _without_channels(Noise),
}

ADDED: dict[str, type[Operation]] = {}  # of these, what `add_operation` added


def add_operation(name: str, layer: type[Operation]) -> None:
    """Adds an operation to the convolutional space, as long as this process lives.

    Searches that begin from now on try it: α has one column more, the last. Cells may have it, so
    a process that goes on with such a run, or trains, tests or exports such a cell, adds it first.

    Args:
      name: what genotypes call it: letters, digits, `_`, `-`, `+` and `.`.
      layer: made as `layer(stride=, affine=, seed=, **kwargs)`; it has `weight_uses`.

    Raises:
      UserError: there is one of this name or a list of operations, or it is no name, or the layer,
        on trial, fails, or its shapes or counts are not right.
    """
    check_primitive_name(name, OPERATIONS, "add_operation")
    lists = find_space("convolutional").operation_lists
    if name in lists:
        raise UserError(
            f"add_operation: {name!r} is a list of operations already, as {', '.join(lists)} are;"
            " choose another name."
        )
    for stride in (1, 2):
        images, expected = tf.zeros([2, 6, 6, 4]), (2, 6 // stride, 6 // stride, 4)
        try:
            trial = layer(stride=stride, affine=True, seed=0)
            shape = tuple(trial(images).shape)
        except Exception as error:  # of a class that is not ours
            raise UserError(
                f"add_operation: at stride {stride} {name!r} cannot be made and called"
                f" ({told(error)}); give a class such as docs/own_operation.md has."
            ) from error
        if shape != expected:
            raise UserError(
                f"add_operation: at stride {stride} {name!r} makes {shape} of {images.shape}; it"
                f" must make {expected}."
            )
        if getattr(type(trial), "weight_uses", None) in (None, Operation.weight_uses):
            raise UserError(
                f"add_operation: {type(trial).__name__} has no weight_uses, by which its weights"
                " and multiply-adds are counted; give it one as docs/own_operation.md has it."
            )
        try:
            counted = sum(weights for weights, _ in trial.weight_uses(tuple(images.shape)))
        except Exception as error:
            raise UserError(
                f"add_operation: weight_uses of {name!r} gives no pairs of numbers ({told(error)});"
                " give it one as docs/own_operation.md has it."
            ) from error
        actual = sum(math.prod(variable.shape) for variable in trial.trainable_variables)
        if counted != actual:
            raise UserError(
                f"add_operation: weight_uses of {name!r} counts {counted} weights at stride"
                f" {stride}, and there are {actual}."
            )
    ADDED[name], OPERATIONS[name] = layer, _without_channels(layer)
    add_primitive("convolutional", name)


def make_operation(
    name: str,
    channels: int,
    /,
    *,
    stride: int = 1,
    affine: bool = True,
    seed: int | None = None,
    **kwargs: Any,
) -> Operation:
    """The layer of an operation.

    Args:
      name: one of `OPERATIONS`.
      channels: C; even where `skip_connect` has stride 2.
      stride: 1 or 2.
      affine: whether its batch norms have scale and offset, as outside the search; in the search
        a pooling is followed by a batch norm.
      seed: of its initial weights.
      **kwargs: what every Keras layer takes.

    Raises:
      UserError: there is no such operation, or a number is out of range.
    """
    check_operation_name(name, OPERATIONS)
    check_count("channels", channels, "an operation")
    return OPERATIONS[name](channels, stride=stride, affine=affine, seed=seed, **kwargs)
