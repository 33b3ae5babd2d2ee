"""A space unlike the two: every edge is kept, `none` competes, the last node is the output."""

from tf_darts.cells.space import IMAGES, Space
from tf_darts.cells.topology import CellTopology

OPERATIONS = ("none", "skip", "twice")


def topology():
    return CellTopology(1, 3, None, OPERATIONS, none_competes=True, output="last")


def space(**changes):
    return Space(**({"name": "toy", "data": IMAGES, "graphs": {"cell": topology}} | changes))
