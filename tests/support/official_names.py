"""The names under which the official programs keep the weights of supernets (PyTorch).

Of NAS-Bench-201 those of derived networks too. Golden numbers are kept by these names; the product
reads no such weights.
"""

from collections.abc import Iterator

import keras

from tf_darts.formats.official_weights import (
    CONVOLUTION,
    DENSE,
    OfficialWeight,
    batch_norm_names,
    language_model_official_names,
    linear_names,
    operation_names,
    prefixed,
)
from tf_darts.spaces.convolutional.derived.stems import ConvBatchNorm
from tf_darts.spaces.convolutional.relaxed.classifier import RelaxedImageClassifier
from tf_darts.spaces.nasbench201.cells import RelaxedBenchCell
from tf_darts.spaces.nasbench201.network import BenchNetwork, ResidualBlock
from tf_darts.spaces.nasbench201.operations import ReluConvNorm
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel


def recurrent_official_names(model: RelaxedLanguageModel) -> dict[str, OfficialWeight]:
    """The variables of a recurrent language model by their official names.

    Layouts agree: the kernels act from the right there too. The decoder's weight is tied to the
    embedding and has no variable of its own.
    """
    return language_model_official_names(model) | {
        "rnns.0.bn.running_mean": OfficialWeight(model.cell.running_mean),
        "rnns.0.bn.running_var": OfficialWeight(model.cell.running_variance),
    }


def convolutional_official_names(model: RelaxedImageClassifier) -> dict[str, OfficialWeight]:
    """The variables of a convolutional supernet by their official names."""
    names = {
        "stem.0.weight": OfficialWeight(model.stem_kernel, CONVOLUTION),
        **prefixed("stem.1", batch_norm_names(model.stem_norm)),
    }
    for i, cell in enumerate(model.cells):
        for j, layer in enumerate(cell.preprocess):
            names |= prefixed(f"cells.{i}.preprocess{j}", operation_names(layer))
        for e, edge in enumerate(cell.edges):
            for k, operation in enumerate(edge.operations.values()):
                names |= prefixed(f"cells.{i}._ops.{e}._ops.{k}", operation_names(operation))
    return names | {
        "classifier.weight": OfficialWeight(model.head_kernel, DENSE),
        "classifier.bias": OfficialWeight(model.head_bias),
    }


def nasbench201_official_names(model: BenchNetwork) -> dict[str, OfficialWeight]:
    """The variables of a network of NAS-Bench-201 by their official names.

    A cell's edges are numbered in a derived network (`cells.0.layers.2`), and named by their nodes
    in the search (`cells.0.edges.2<-1`, then the operation's number).

    Args:
      model: a supernet or a derived network; it is built.
    """
    names = prefixed("stem", _convolution(model.stem, 0))
    for i, layer in enumerate(model.cells):
        if isinstance(layer, ResidualBlock):
            names |= prefixed(f"cells.{i}", _block(layer))
        elif isinstance(layer, RelaxedBenchCell):
            for row, edge in enumerate(layer.edges):
                source, target = layer.topology.edge_names[row].split("→")
                for k, operation in enumerate(edge.operations):
                    place = f"cells.{i}.edges.{target}<-{source}.{k}"
                    names |= prefixed(place, _bench_operation(operation))
        else:
            for row, operation in enumerate(layer.edges):
                names |= prefixed(f"cells.{i}.layers.{row}", _bench_operation(operation))
    names |= prefixed("lastact.0", batch_norm_names(model.last_norm))
    return names | prefixed("classifier", linear_names(model.classifier))


def _bench_operation(layer: keras.layers.Layer) -> Iterator[tuple[str, OfficialWeight]]:
    if isinstance(layer, ReluConvNorm):
        yield from prefixed("op", _convolution(layer, 1)).items()


def _convolution(
    layer: ReluConvNorm | ConvBatchNorm, place: int
) -> Iterator[tuple[str, OfficialWeight]]:
    """A convolution, number `place` of a sequence, and the batch norm behind it."""
    yield f"{place}.weight", OfficialWeight(layer.kernel, CONVOLUTION)
    if isinstance(layer, ReluConvNorm) and not layer.affine:
        yield f"{place}.bias", OfficialWeight(layer.bias)
    yield from prefixed(f"{place + 1}", batch_norm_names(layer.norm)).items()


def _block(layer: ResidualBlock) -> Iterator[tuple[str, OfficialWeight]]:
    for name, convolution in (("conv_a", layer.conv_a), ("conv_b", layer.conv_b)):
        yield from prefixed(name, _bench_operation(convolution)).items()
    yield "downsample.1.weight", OfficialWeight(layer.shortcut_kernel, CONVOLUTION)
