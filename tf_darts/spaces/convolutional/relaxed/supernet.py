"""The convolutional space behind the `Supernet` door: an image classifier with relaxed cells."""

from collections.abc import Sequence
from typing import Any, ClassVar

from tf_darts.cells.genotype import ConvolutionalGenotype
from tf_darts.runtime.memory.traced import TracedMemory, in_order
from tf_darts.spaces.convolutional import traced_memory
from tf_darts.spaces.convolutional.relaxed.classifier import RelaxedImageClassifier
from tf_darts.spaces.image_doors import ImageSupernet


class ConvolutionalSupernet(ImageSupernet):
    """Image classification with relaxed normal and reduction cells.

    α has two tables, "normal" and "reduce".

    Args:
      model: the classifier; it is built here.
      image_shape: height, width and channels of an image.
      rematerialize: whether cells are computed again in the backward pass.
    """

    genotype_class: ClassVar[type] = ConvolutionalGenotype

    def __init__(
        self,
        model: RelaxedImageClassifier,
        image_shape: tuple[int, int, int],
        rematerialize: bool = False,
    ) -> None:
        model.rematerialize = rematerialize
        super().__init__(model, image_shape, ConvolutionalGenotype.space, model.topologies)

    @property
    def edge_options(self) -> Sequence[Any]:
        return self.model.edge_options

    def traced_memory(self, batch: Any, *, order: int = 1, replicas: int = 1) -> TracedMemory:
        del replicas  # each takes the same form
        examples, cells = batch[0].shape[0], []
        for layer, shapes, output in self.model.cell_shapes(self.image_shape):
            mixing = (layer.topology.edges, layer.columns)
            input_shapes = [(examples, *shape) for shape in shapes]
            cells.append(traced_memory.Cell(layer, input_shapes, (examples, *output), mixing))
        rematerialize = self.model.rematerialize
        return in_order(traced_memory.cells_memory(cells, order=order, rematerialize=rematerialize))
