"""A space of one's own in one file: a cell like NAS-Bench-201's, searched by the ordinary commands.

One kind of cell has one input and three nodes; every edge is kept, `none` competes with the others,
and the last node is the output. Load it and name it:

    own="--load=examples/own_space.py --dataset=digits"
    python -m tf_darts.main $own --mode=search --space=bench --run_dir=runs/bench
    python -m tf_darts.main $own --mode=train --genotype=runs/bench/genotype.json --run_dir=runs/b
    python -m tf_darts.main --load=examples/own_space.py --mode=test --run_dir=runs/b
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

import tf_darts

OPERATIONS = ("none", "skip_connect", "sep_conv_3x3", "avg_pool_3x3")
# What --help says of the two settings.
WIDTH, DEPTH = "The cells have this many channels.", "The network has this many cells."


def topology() -> tf_darts.CellTopology:
    """Node 0 is given; nodes 1 to 3 each sum what their edges bring."""
    return tf_darts.CellTopology(
        inputs=1, nodes=3, keep=None, operations=OPERATIONS, none_competes=True, output="last"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class BenchSearch(tf_darts.ImageSearchConfig):
    """The settings of a search: those of all searches on images, and a width."""

    width: int = tf_darts.setting(8, WIDTH, unit="channels", minimum=2, maximum=2**10)
    depth: int = tf_darts.setting(2, DEPTH, unit="cells", minimum=1, maximum=100)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BenchTraining(tf_darts.ImageTrainingConfig):
    """The settings of a training."""

    width: int = tf_darts.setting(16, WIDTH, unit="channels", minimum=2, maximum=2**10)
    depth: int = tf_darts.setting(3, DEPTH, unit="cells", minimum=1, maximum=100)


class Cell(keras.layers.Layer):
    """A discrete cell: [B, H, W, C] to the same."""

    def __init__(self, nodes: Sequence[Sequence[tuple[str, int]]], width: int, seed: int) -> None:
        super().__init__()
        self.channels = width
        self.sources = tuple(tuple(source for _, source in edges) for edges in nodes)
        self.edges = [
            tf_darts.make_operation(name, width, seed=seed + 10 * i + source)
            for i, edges in enumerate(nodes)
            for name, source in edges
        ]

    def build(self, shape: tuple[int | None, ...]) -> None:
        for edge in self.edges:
            edge.build(shape)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        nodes, edges = [inputs], iter(self.edges)
        for sources in self.sources:
            nodes.append(tf.add_n([next(edges)(nodes[s], training=training) for s in sources]))
        return nodes[-1]


class Classifier(keras.Model):
    """Convolution, cells that are made one by one, average over the image, linear."""

    def __init__(self, cells: Sequence[keras.layers.Layer], classes: int, seed: int) -> None:
        super().__init__()
        self.stem = keras.layers.Conv2D(cells[0].channels, 3, padding="same", **_started(seed))
        self.norm = tf_darts.BatchNorm()
        self.cells = list(cells)
        self.head = keras.layers.Dense(classes, **_started(seed + 1))

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.stem.build(shape)
        inside = (*shape[:3], self.cells[0].channels)
        for layer in (self.norm, *self.cells):
            layer.build([inside] if isinstance(layer, tf_darts.RelaxedCell) else inside)
        self.head.build((shape[0], inside[-1]))
        self.built = True

    def call(
        self,
        images: tf.Tensor,
        mixing: Mapping[str, tf.Tensor] | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        value = self.norm(self.stem(images), training=training)
        for cell in self.cells:
            if mixing is None:
                value = cell(value, training=training)
            else:
                value = cell((value,), mixing["cell"], training=training)
        return self.head(tf.reduce_mean(value, axis=[1, 2]))


def _started(seed: int) -> dict[str, Any]:
    return {"kernel_initializer": keras.initializers.HeNormal(seed)}


def supernet(config: BenchSearch, facts: Any, cells: Mapping[str, tf_darts.CellTopology]) -> Any:
    """What a search goes through; `cells` have what `--operations` asks for."""
    relaxed = [
        tf_darts.RelaxedCell(
            config.width, topology=cells["cell"], preprocessed=False, seed=config.seed + i
        )
        for i in range(config.depth)
    ]
    model = Classifier(relaxed, facts.classes, config.seed)
    return tf_darts.ImageSupernet(model, facts.shape, "bench", cells)


def objective(config: BenchTraining, cell: tf_darts.Genotype, facts: Any) -> Any:
    """What a training learns."""
    nodes = cell.cells["cell"].nodes
    cells = [Cell(nodes, config.width, config.seed + 100 * i) for i in range(config.depth)]
    return tf_darts.ImageObjective(Classifier(cells, facts.classes, config.seed), facts.shape)


tf_darts.register_space(
    tf_darts.Space(
        name="bench",
        data=tf_darts.IMAGES,
        graphs={"cell": topology},
        search=BenchSearch(epochs=10),
        training=BenchTraining(epochs=20),
        supernet=supernet,
        objective=objective,
    )
)
