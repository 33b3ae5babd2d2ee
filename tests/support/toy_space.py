"""A space unlike the two: every edge is kept, `none` competes, the last node is the output."""

import dataclasses

import pytest

from tests.support.registries import forget_members
from tf_darts.cells import space as registry
from tf_darts.cells.space import IMAGES, Space
from tf_darts.cells.topology import CellTopology
from tf_darts.config.data_searches import ImageSearchConfig
from tf_darts.config.setting import setting
from tf_darts.config.training import ImageTrainingConfig

OPERATIONS = ("none", "skip", "twice")
EDGES = [["skip", 0], ["none", 0], ["twice", 1], ["skip", 0], ["none", 1], ["twice", 2]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToySearchConfig(ImageSearchConfig):
    """Has a setting that no other search has."""

    width: int = setting(4, "of everything", minimum=1, maximum=99)


def topology():
    return CellTopology(1, 3, None, OPERATIONS, none_competes=True, output="last")


def space(**changes):
    fields = {
        "name": "toy",
        "data": IMAGES,
        "graphs": {"cell": topology},
        "search": ToySearchConfig(),
        "training": ImageTrainingConfig(epochs=7),
        "supernet": "nowhere:supernet",
        "objective": "nowhere:objective",
    }
    return Space(**(fields | changes))


@pytest.fixture
def toy(monkeypatch):
    """Registers the space, as long as a test lives."""
    forget_members(monkeypatch)
    return registry.register_space(space())
