"""The names and layouts under which the official PyTorch release keeps its weights."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import keras
import numpy as np

from tf_darts.errors import UserError
from tf_darts.spaces.convolutional.batch_norm import BatchNorm
from tf_darts.spaces.convolutional.convolutions import (
    DepthwiseSeparable,
    FactorizedReduction,
    ReluConvBatchNorm,
    SeparableConvolution,
)
from tf_darts.spaces.convolutional.image_classifier import RelaxedImageClassifier
from tf_darts.spaces.convolutional.operation import Operation
from tf_darts.spaces.convolutional.pooling import Pooling
from tf_darts.spaces.recurrent.language_model import RelaxedLanguageModel

_DENSE = (1, 0)  # [out, in] -> [in, out]
_CONVOLUTION = (2, 3, 1, 0)  # [out, in, h, w] -> [h, w, in, out]; a 1×1 one to [in, out]
_DEPTHWISE = (2, 3, 0, 1)  # [channels, 1, h, w] -> [h, w, channels, 1]


class OfficialWeight(NamedTuple):
    """A variable, and how its axes stand in the official layout.

    Attributes:
      variable: ours.
      axes: the official axes in our order; () where the layouts agree. Ours may lack leading axes
        of length 1.
    """

    variable: keras.Variable
    axes: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The official shape."""
        shape = tuple(self.variable.shape)
        if not self.axes:
            return shape
        full = (1,) * (len(self.axes) - len(shape)) + shape
        return tuple(full[self.axes.index(axis)] for axis in range(len(full)))

    def from_official(self, value: np.ndarray) -> np.ndarray:
        """A value of the official shape in ours."""
        if self.axes:
            value = np.transpose(value, self.axes)
        return np.reshape(value, self.variable.shape)

    def to_official(self, value: np.ndarray) -> np.ndarray:
        """A value of our shape in the official one."""
        if not self.axes:
            return np.asarray(value)
        official = self.shape
        permuted = np.reshape(value, [official[axis] for axis in self.axes])
        return np.transpose(permuted, np.argsort(self.axes))


def recurrent_official_names(model: RelaxedLanguageModel) -> dict[str, OfficialWeight]:
    """The variables of a recurrent language model by their official names.

    Layouts agree: the kernels act from the right there too. The decoder's weight is tied to the
    embedding and has no variable of its own.
    """
    cell = model.cell
    variables = {
        "encoder.weight": model.embedding,
        "rnns.0._W0": cell.input_kernel,
        **{f"rnns.0._Ws.{i}": kernel for i, kernel in enumerate(cell.node_kernels)},
        "rnns.0.bn.running_mean": cell.running_mean,
        "rnns.0.bn.running_var": cell.running_variance,
        "decoder.bias": model.bias,
    }
    return {name: OfficialWeight(variable) for name, variable in variables.items()}


def convolutional_official_names(model: RelaxedImageClassifier) -> dict[str, OfficialWeight]:
    """The variables of a convolutional supernet by their official names."""
    names = {
        "stem.0.weight": OfficialWeight(model.stem_kernel, _CONVOLUTION),
        **_prefixed("stem.1", _batch_norm(model.stem_norm)),
    }
    for i, cell in enumerate(model.cells):
        for j, layer in enumerate(cell.preprocess):
            names |= _prefixed(f"cells.{i}.preprocess{j}", _operation(layer))
        for e, edge in enumerate(cell.edges):
            for k, operation in enumerate(edge.operations.values()):
                names |= _prefixed(f"cells.{i}._ops.{e}._ops.{k}", _operation(operation))
    return names | {
        "classifier.weight": OfficialWeight(model.head_kernel, _DENSE),
        "classifier.bias": OfficialWeight(model.head_bias),
    }


def _prefixed(
    prefix: str, names: Iterator[tuple[str, OfficialWeight]]
) -> dict[str, OfficialWeight]:
    return {f"{prefix}.{name}": weight for name, weight in names}


def _batch_norm(layer: BatchNorm) -> Iterator[tuple[str, OfficialWeight]]:
    if layer.affine:
        yield "weight", OfficialWeight(layer.scale)
        yield "bias", OfficialWeight(layer.offset)
    yield "running_mean", OfficialWeight(layer.running_mean)
    yield "running_var", OfficialWeight(layer.running_variance)


def _depthwise_separable(
    layer: DepthwiseSeparable, first: int
) -> Iterator[tuple[str, OfficialWeight]]:
    """ReLU, depthwise, pointwise, norm: the parts of a sequence from number `first` on."""
    yield f"op.{first + 1}.weight", OfficialWeight(layer.depthwise_kernel, _DEPTHWISE)
    yield f"op.{first + 2}.weight", OfficialWeight(layer.pointwise_kernel, _CONVOLUTION)
    yield from _prefixed(f"op.{first + 3}", _batch_norm(layer.norm)).items()


def _operation(layer: Operation) -> Iterator[tuple[str, OfficialWeight]]:
    if isinstance(layer, SeparableConvolution):
        yield from _depthwise_separable(layer.first, 0)
        yield from _depthwise_separable(layer.second, 4)
    elif isinstance(layer, DepthwiseSeparable):
        yield from _depthwise_separable(layer, 0)
    elif isinstance(layer, FactorizedReduction):
        yield "conv_1.weight", OfficialWeight(layer.even_kernel, _CONVOLUTION)
        yield "conv_2.weight", OfficialWeight(layer.odd_kernel, _CONVOLUTION)
        yield from _prefixed("bn", _batch_norm(layer.norm)).items()
    elif isinstance(layer, ReluConvBatchNorm):
        yield "op.1.weight", OfficialWeight(layer.kernel, _CONVOLUTION)
        yield from _prefixed("op.2", _batch_norm(layer.norm)).items()
    elif isinstance(layer, Pooling) and layer.normalized:
        yield from _prefixed("1", _batch_norm(layer.norm)).items()


def assign_official(weights: Mapping[str, OfficialWeight], state: Mapping[str, np.ndarray]) -> None:
    """Gives the variables the values of an official state dict.

    Raises:
      UserError: a value is missing or has another shape; nothing is assigned then.
    """
    for name, weight in weights.items():
        if name not in state:
            raise UserError(f"The state dict has no {name!r}; it is of another network.")
        if tuple(state[name].shape) != weight.shape:
            raise UserError(
                f"{name!r} has shape {tuple(state[name].shape)}, the network needs"
                f" {weight.shape}; it is of another size."
            )
    for name, weight in weights.items():
        weight.variable.assign(weight.from_official(state[name]))
