"""What the settings of a run make of the convolutional space."""

from collections.abc import Mapping

from tf_darts.cells.costs import Costs
from tf_darts.cells.genotype import ConvolutionalGenotype
from tf_darts.cells.random_cells import random_cells
from tf_darts.cells.topology import CellTopology
from tf_darts.data.facts import ImageFacts
from tf_darts.runtime.seeds import sub_seed
from tf_darts.spaces.convolutional.derived import counts as sizes
from tf_darts.spaces.convolutional.derived.network import DerivedNetwork
from tf_darts.spaces.convolutional.derived.objective import (
    CifarNetwork,
    ImageClassification,
    ImageNetNetwork,
)
from tf_darts.spaces.convolutional.relaxed.classifier import RelaxedImageClassifier
from tf_darts.spaces.convolutional.relaxed.supernet import ConvolutionalSupernet
from tf_darts.spaces.convolutional.settings import (
    ConvolutionalSearchConfig,
    ConvolutionalTrainingConfig,
)
from tf_darts.spaces.edge_wrappers import wrapping_options

MANY_CLASSES = 100  # from so many on, whether the right one is among the first five says something


def supernet(
    config: ConvolutionalSearchConfig, facts: ImageFacts, cells: Mapping[str, CellTopology]
) -> ConvolutionalSupernet:
    """What a search goes through, with random weights."""
    model = RelaxedImageClassifier(
        classes=facts.classes,
        channels=config.channels,
        layers=config.layers,
        seed=sub_seed(config.seed, "weights"),
        topologies=cells,
        edge_options=wrapping_options(config),
    )
    return ConvolutionalSupernet(model, facts.shape, config.rematerialize)


def image_model(
    config: ConvolutionalTrainingConfig, cell: ConvolutionalGenotype, classes: int
) -> DerivedNetwork:
    """An image classifier as configured; its weights are yet to be made."""
    kind = {"cifar": CifarNetwork, "imagenet": ImageNetNetwork}[config.network]
    return kind(
        cell,
        classes=classes,
        channels=config.channels,
        layers=config.layers,
        auxiliary=config.auxiliary_weight > 0,
        seed=sub_seed(config.seed, "weights"),
    )


def image_objective(
    config: ConvolutionalTrainingConfig,
    cell: ConvolutionalGenotype,
    shape: tuple[int, int, int],
    classes: int,
) -> ImageClassification:
    """The training of an `image_model`, with random weights; `shape` is of an image."""
    return ImageClassification(
        image_model(config, cell, classes),
        shape,
        auxiliary_weight=config.auxiliary_weight,
        label_smoothing=config.label_smoothing,
        drop_path=config.drop_path,
        top5=config.network == "imagenet" and classes >= MANY_CLASSES,
        batch_size=config.batch_size,
        rematerialize=config.rematerialize,
    )


def objective(
    config: ConvolutionalTrainingConfig, cell: ConvolutionalGenotype, facts: ImageFacts
) -> ImageClassification:
    """See `image_objective`."""
    return image_objective(config, cell, facts.shape, facts.classes)


def counts(
    config: ConvolutionalTrainingConfig, cell: ConvolutionalGenotype, facts: ImageFacts
) -> dict[str, int]:
    """How large the network is, without its auxiliary head; its weights are not made."""
    model = image_model(config, cell, facts.classes)
    model.check_size((None, *facts.shape))  # as where they are made
    return sizes.counts(model, facts.shape)


def operation_costs(
    config: ConvolutionalTrainingConfig, facts: ImageFacts, cells: Mapping[str, CellTopology]
) -> Costs:
    """The multiply-adds of a network by its cells' operations, which none need have."""
    any_cell = ConvolutionalGenotype.from_cells(random_cells(cells, 0))
    return sizes.operation_costs(image_model(config, any_cell, facts.classes), facts.shape, cells)
