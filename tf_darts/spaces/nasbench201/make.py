"""What the settings of a run make of the space of NAS-Bench-201."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tf_darts.cells.costs import Costs
from tf_darts.cells.genotype import Genotype
from tf_darts.cells.topology import CellTopology
from tf_darts.data.facts import ImageFacts
from tf_darts.runtime.memory.traced import TracedMemory, in_order
from tf_darts.runtime.seeds import sub_seed
from tf_darts.spaces.convolutional.traced_memory import Cell, cells_memory, layer_memory
from tf_darts.spaces.edge_wrappers import wrapping_options
from tf_darts.spaces.image_doors import ImageObjective, ImageSupernet
from tf_darts.spaces.nasbench201 import counts as sizes
from tf_darts.spaces.nasbench201.network import (
    BenchNetwork,
    NasBench201Network,
    RelaxedBenchNetwork,
    ResidualBlock,
)
from tf_darts.spaces.nasbench201.operations import ReluConvNorm
from tf_darts.spaces.nasbench201.settings import (
    NasBench201SearchConfig,
    NasBench201TrainingConfig,
)


class BenchSupernet(ImageSupernet):
    """Image classification with relaxed cells; all of them share the one table of α, "cell"."""

    model: RelaxedBenchNetwork

    @property
    def joint_gradients(self) -> bool:
        # Cells of one width are one function, of which TensorFlow leaves out nothing: traced by
        # itself ∇_α takes two thirds of what both take. With options around edges they are not.
        return bool(self.edge_options)

    @property
    def idle_weights(self) -> Sequence[keras.Variable]:
        edges = [edge for cell in self.model.relaxed_cells for edge in cell.edges]
        operations = [operation for edge in edges for operation in edge.operations]
        return [layer.bias for layer in operations if isinstance(layer, ReluConvNorm)]

    @property
    def edge_options(self) -> Sequence[Any]:
        return self.model.edge_options

    def traced_memory(self, batch: Any, *, order: int = 1, replicas: int = 1) -> TracedMemory:
        del replicas  # each takes the same form
        table = (self.model.topology.edges, self.model.relaxed_cells[0].columns)
        return _memory(self.model, (batch[0].shape[0], *self.image_shape), table, order)


class BenchObjective(ImageObjective):
    """The training of a derived network by its cross-entropy."""

    model: NasBench201Network

    def traced_memory(self, batch: Any) -> TracedMemory:
        return _memory(self.model, (batch[0].shape[0], *self.image_shape))


def _memory(
    model: BenchNetwork,
    images: tuple[int, int, int, int],
    mixing: tuple[int, int] | None = None,
    order: int = 1,
) -> TracedMemory:
    """Of the gradient of a network's logits; images are [B, H, W, channels]."""
    layers = model.layer_shapes(images)
    cells = [
        Cell(layer, shape, shape, mixing)
        for layer, shape in layers[1:-2]
        if not isinstance(layer, ResidualBlock)
    ]
    of_cells = iter(cells_memory(cells, order=order, rematerialize=model.rematerialize))
    inside = layers[1:-2]
    return in_order(
        [
            layer_memory(*layers[0]),
            *(
                layer_memory(*place) if isinstance(place[0], ResidualBlock) else next(of_cells)
                for place in inside
            ),
            *(layer_memory(*place) for place in layers[-2:]),
        ]
    )


def supernet(
    config: NasBench201SearchConfig, facts: ImageFacts, cells: Mapping[str, CellTopology]
) -> BenchSupernet:
    """What a search goes through, with random weights."""
    model = RelaxedBenchNetwork(
        cells["cell"],
        classes=facts.classes,
        channels=config.channels,
        cells_per_stage=config.cells_per_stage,
        seed=sub_seed(config.seed, "weights"),
        edge_options=wrapping_options(config),
    )
    model.rematerialize = config.rematerialize
    return BenchSupernet(model, facts.shape, "nasbench201", cells)


def objective(
    config: NasBench201TrainingConfig, cell: Genotype, facts: ImageFacts
) -> BenchObjective:
    """The training of a derived network, with random weights."""
    model = NasBench201Network(
        cell,
        classes=facts.classes,
        channels=config.channels,
        cells_per_stage=config.cells_per_stage,
        seed=sub_seed(config.seed, "weights"),
    )
    model.rematerialize = config.rematerialize
    return BenchObjective(
        model,
        facts.shape,
        multiply_adds=counts(config, cell, facts)["multiply-adds an image"],
        batch_size=config.batch_size,
    )


def counts(config: NasBench201TrainingConfig, cell: Genotype, facts: ImageFacts) -> dict[str, int]:
    """How large the network is, as its authors count; its weights are not made."""
    edges = sizes.convolutions(cell)
    form = {"channels": config.channels, "cells_per_stage": config.cells_per_stage}
    return {
        "weights": sizes.weight_count(edges, facts.classes, image_channels=facts.shape[2], **form),
        "multiply-adds an image": sizes.multiply_adds(edges, facts.classes, facts.shape, **form),
    }


def operation_costs(
    config: NasBench201TrainingConfig, facts: ImageFacts, cells: Mapping[str, CellTopology]
) -> Costs:
    """The multiply-adds of the network by its cell's operations: only convolutions have some."""

    def count(three: int, one: int) -> int:
        form = {"channels": config.channels, "cells_per_stage": config.cells_per_stage}
        return sizes.multiply_adds((three, one), facts.classes, facts.shape, **form)

    base, topology = count(0, 0), cells["cell"]
    costs = {"nor_conv_3x3": count(1, 0) - base, "nor_conv_1x1": count(0, 1) - base}
    rows = [
        [costs.get(name, 0) for name in topology.operations_of(edge)]
        for edge in range(topology.edges)
    ]
    return Costs(base=base, tables={"cell": np.array(rows)})
