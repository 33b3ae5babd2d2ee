"""The space `planted` as data: six independent edges with four operations each."""

from tf_darts.cells.space import IMAGES, Space, register_space
from tf_darts.cells.topology import CellLabels, CellTopology
from tf_darts.data.images.planted_answer import ANSWER, DISTANCES
from tf_darts.spaces.planted.settings import PlantedSearchConfig, PlantedTrainingConfig


def topology() -> CellTopology:
    """The six fields of an image are given; one node puts together what their edges see."""
    return CellTopology(
        inputs=len(ANSWER),
        nodes=1,
        keep=None,
        operations=tuple(f"taps_{distance}" for distance in DISTANCES),
        output="last",
    )


PLANTED = register_space(
    Space(
        name="planted",
        data=IMAGES,
        graphs={"cell": topology},
        fields={"cell": ("planted", "")},
        labels={
            "cell": CellLabels(
                title="Planted", inputs=tuple(f"field {i}" for i in range(6)), output="classes"
            )
        },
        search=PlantedSearchConfig(),
        training=PlantedTrainingConfig(),
        supernet="tf_darts.spaces.planted.make:supernet",
        objective="tf_darts.spaces.planted.make:objective",
        published="tf_darts.spaces.planted.published:CELLS",
        answer="planted",
    )
)
