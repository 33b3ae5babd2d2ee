"""The names and layouts under which the official PyTorch release keeps its weights."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import keras
import numpy as np

from tf_darts.errors import UserError
from tf_darts.spaces.convolutional.derived.auxiliary_head import AuxiliaryHead
from tf_darts.spaces.convolutional.derived.network import DerivedNetwork
from tf_darts.spaces.convolutional.operations.base import Operation
from tf_darts.spaces.convolutional.operations.batch_norm import BatchNorm
from tf_darts.spaces.convolutional.operations.convolutions import (
    DepthwiseSeparable,
    FactorizedConvolution,
    FactorizedReduction,
    ReluConvBatchNorm,
    SeparableConvolution,
)
from tf_darts.spaces.convolutional.operations.pooling import Pooling
from tf_darts.spaces.recurrent.word_model import WordModel

DENSE = (1, 0)  # [out, in] -> [in, out]
CONVOLUTION = (2, 3, 1, 0)  # [out, in, h, w] -> [h, w, in, out]; a 1×1 one to [in, out]
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


def language_model_official_names(model: WordModel) -> dict[str, OfficialWeight]:
    """The trainable variables of a language model by their official names.

    A derived one has no others.
    """
    cell = model.cell
    variables = {
        "encoder.weight": model.embedding,
        "rnns.0._W0": cell.input_kernel,
        **{f"rnns.0._Ws.{i}": kernel for i, kernel in enumerate(cell.node_kernels)},
        "decoder.bias": model.bias,
    }
    return {name: OfficialWeight(variable) for name, variable in variables.items()}


def image_network_official_names(model: DerivedNetwork) -> dict[str, OfficialWeight]:
    """The variables of a network of derived cells by their official names.

    The official ImageNet network names the convolutions of its stem by sequence and place there.
    """
    three = ["stem0.0", "stem0.3", "stem1.1"]
    stem = ["stem.0"] if len(model.stem.convolutions) == 1 else three
    names = {}
    for place, layer in zip(stem, model.stem.convolutions, strict=True):
        sequence, number = place.split(".")
        names[f"{place}.weight"] = OfficialWeight(layer.kernel, CONVOLUTION)
        names |= prefixed(f"{sequence}.{int(number) + 1}", batch_norm_names(layer.norm))
    for i, cell in enumerate(model.cells):
        for j, layer in enumerate(cell.preprocess):
            names |= prefixed(f"cells.{i}.preprocess{j}", operation_names(layer))
        for e, operation in enumerate(cell.edges):
            names |= prefixed(f"cells.{i}._ops.{e}", operation_names(operation))
    if model.auxiliary:
        names |= prefixed("auxiliary_head", _auxiliary_head(model.auxiliary_head))
    return names | prefixed("classifier", linear_names(model.classifier))


def linear_names(layer: keras.layers.Dense) -> Iterator[tuple[str, OfficialWeight]]:
    """Of a linear layer."""
    yield "weight", OfficialWeight(layer.kernel, DENSE)
    yield "bias", OfficialWeight(layer.bias)


def _auxiliary_head(layer: AuxiliaryHead) -> Iterator[tuple[str, OfficialWeight]]:
    yield "features.2.weight", OfficialWeight(layer.middle_kernel, CONVOLUTION)
    yield from prefixed("features.3", batch_norm_names(layer.middle_norm)).items()
    yield "features.5.weight", OfficialWeight(layer.kernel, CONVOLUTION)
    if layer.normalized:
        yield from prefixed("features.6", batch_norm_names(layer.norm)).items()
    yield from prefixed("classifier", linear_names(layer.classifier)).items()


def prefixed(prefix: str, names: Iterator[tuple[str, OfficialWeight]]) -> dict[str, OfficialWeight]:
    """Names of a part as the whole has them."""
    return {f"{prefix}.{name}": weight for name, weight in names}


def batch_norm_names(layer: BatchNorm) -> Iterator[tuple[str, OfficialWeight]]:
    """Of a batch norm."""
    if layer.affine:
        yield "weight", OfficialWeight(layer.scale)
        yield "bias", OfficialWeight(layer.offset)
    yield "running_mean", OfficialWeight(layer.running_mean)
    yield "running_var", OfficialWeight(layer.running_variance)


def _depthwise_separable(
    layer: DepthwiseSeparable, start: int
) -> Iterator[tuple[str, OfficialWeight]]:
    """ReLU, depthwise, pointwise, norm: the parts of a sequence from number `start` on."""
    yield f"op.{start + 1}.weight", OfficialWeight(layer.depthwise_kernel, _DEPTHWISE)
    yield f"op.{start + 2}.weight", OfficialWeight(layer.pointwise_kernel, CONVOLUTION)
    yield from prefixed(f"op.{start + 3}", batch_norm_names(layer.norm)).items()


def operation_names(layer: Operation) -> Iterator[tuple[str, OfficialWeight]]:
    """Of a primitive, or of what shapes a cell's inputs."""
    if isinstance(layer, SeparableConvolution):
        yield from _depthwise_separable(layer.first, 0)
        yield from _depthwise_separable(layer.second, 4)
    elif isinstance(layer, DepthwiseSeparable):
        yield from _depthwise_separable(layer, 0)
    elif isinstance(layer, FactorizedConvolution):
        yield "op.1.weight", OfficialWeight(layer.row_kernel, CONVOLUTION)
        yield "op.2.weight", OfficialWeight(layer.column_kernel, CONVOLUTION)
        yield from prefixed("op.3", batch_norm_names(layer.norm)).items()
    elif isinstance(layer, FactorizedReduction):
        yield "conv_1.weight", OfficialWeight(layer.even_kernel, CONVOLUTION)
        yield "conv_2.weight", OfficialWeight(layer.odd_kernel, CONVOLUTION)
        yield from prefixed("bn", batch_norm_names(layer.norm)).items()
    elif isinstance(layer, ReluConvBatchNorm):
        yield "op.1.weight", OfficialWeight(layer.kernel, CONVOLUTION)
        yield from prefixed("op.2", batch_norm_names(layer.norm)).items()
    elif isinstance(layer, Pooling) and layer.normalized:
        yield from prefixed("1", batch_norm_names(layer.norm)).items()


def assign_official(
    weights: Mapping[str, OfficialWeight],
    state: Mapping[str, np.ndarray],
    source: str = "The state dict",
) -> None:
    """Gives the variables the values of an official state dict.

    Args:
      weights: the variables by official name.
      state: values by official name.
      source: where these come from, for sentences.

    Raises:
      UserError: a value is missing or has another shape, or a language model's decoder is not
        tied to its embedding; nothing is assigned then.
    """
    for name, weight in weights.items():
        if name not in state:
            raise UserError(
                f"{source} has no {name!r}; give the cell and the data set that it was trained on."
            )
        if tuple(state[name].shape) != weight.shape:
            raise UserError(
                f"{source}: {name!r} has shape {tuple(state[name].shape)}, the network needs"
                f" {weight.shape}; give the cell and the data set that it was trained on."
            )
    # The release writes a tied weight under both names; here one variable serves for them.
    tied = "encoder.weight" in weights and "decoder.weight" in state
    if tied and not np.array_equal(state["encoder.weight"], state["decoder.weight"]):
        raise UserError(
            f"{source}: 'decoder.weight' is not 'encoder.weight'; the network needs them to be"
            " tied, so give weights that were trained so."
        )
    for name, weight in weights.items():
        weight.variable.assign(weight.from_official(state[name]))
