"""What the settings of a run make of the space `s4_mini`."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from tf_darts.cells.genotype import Genotype
from tf_darts.cells.topology import CellTopology
from tf_darts.data.facts import ImageFacts
from tf_darts.runtime.precision import activations, full
from tf_darts.runtime.seeds import sub_seed
from tf_darts.spaces.convolutional.derived.cell import DerivedCell
from tf_darts.spaces.convolutional.derived.stems import Stem
from tf_darts.spaces.convolutional.operations.base import child_seed, keep_activations, uniform
from tf_darts.spaces.convolutional.relaxed.cell import RelaxedCell
from tf_darts.spaces.image_doors import ImageObjective, ImageSupernet
from tf_darts.spaces.s4_mini.settings import S4MiniSearchConfig, S4MiniTrainingConfig


class SmallClassifier(keras.Model):
    """3×3 convolution and batch norm, cells, the mean over the image, linear.

    Args:
      cells: relaxed or derived, all of the same channels and stride 1.
      output_channels: of a cell's output.
      classes: how many there are.
      seed: integer for the initial weights.
    """

    def __init__(
        self,
        cells: Sequence[RelaxedCell | DerivedCell],
        output_channels: int,
        classes: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.seed = seed
        self.classes = classes
        self.output_channels = output_channels
        self.stem = Stem((cells[0].channels,), seed=child_seed(seed, "stem"), name="stem")
        self.cells = list(cells)

    def build(self, shape: tuple[int | None, ...]) -> None:
        keep_activations(self)
        self.stem.build(shape)
        shapes = [(*shape[:3], self.cells[0].channels)] * 2
        for cell in self.cells:
            cell.build(tuple(shapes))
            shapes = [shapes[1], (*shape[:3], self.output_channels)]
        self.head_kernel, self.head_bias = (
            self.add_weight(
                name=name,
                shape=size,
                initializer=uniform(child_seed(self.seed, name), self.output_channels),
            )
            for name, size in (
                ("head_kernel", (self.output_channels, self.classes)),
                ("head_bias", (self.classes,)),
            )
        )
        self.built = True

    def call(
        self,
        images: tf.Tensor,
        mixing: Mapping[str, tf.Tensor] | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Returns the logits [B, classes].

        Args:
          images: [B, H, W, channels].
          mixing: "cell", [edges, operations]; None where the cells are derived.
          training: batch or running statistics.
        """
        previous, last = self.stem(activations(images), training=training)
        for cell in self.cells:
            weights = () if mixing is None else (mixing["cell"],)
            previous, last = last, cell((previous, last), *weights, training=training)
        features = tf.reduce_mean(full(last), axis=[1, 2])
        kernel, bias = (tf.convert_to_tensor(w) for w in (self.head_kernel, self.head_bias))
        return features @ kernel + bias


def supernet(
    config: S4MiniSearchConfig, facts: ImageFacts, cells: Mapping[str, CellTopology]
) -> ImageSupernet:
    """What a search goes through, with random weights."""
    seed = sub_seed(config.seed, "weights")
    relaxed = [
        RelaxedCell(config.channels, topology=cells["cell"], seed=child_seed(seed, "cell", i))
        for i in range(config.layers)
    ]
    model = SmallClassifier(relaxed, relaxed[0].output_channels, facts.classes, seed)
    return ImageSupernet(model, facts.shape, "s4_mini", cells)


def objective(config: S4MiniTrainingConfig, cell: Genotype, facts: ImageFacts) -> ImageObjective:
    """The training of a network of the cell, with random weights."""
    seed, (nodes, concat) = sub_seed(config.seed, "weights"), cell.cells["cell"]
    derived = [
        DerivedCell(nodes, concat, config.channels, seed=child_seed(seed, "cell", i))
        for i in range(config.layers)
    ]
    model = SmallClassifier(derived, len(concat) * config.channels, facts.classes, seed)
    return ImageObjective(model, facts.shape, batch_size=config.batch_size)
