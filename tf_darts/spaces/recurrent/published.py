"""The published recurrent cells (docs/method.md section 7), as `Genotype.to_dict` has them."""

from collections.abc import Iterable
from typing import Any


def _cell(edges: str, concat: Iterable[int]) -> dict[str, Any]:
    pairs = (edge.split() for edge in edges.split(","))
    return {"recurrent": [[name, int(node)] for name, node in pairs], "concat": list(concat)}


CELLS = {
    "darts_v1": _cell(
        "relu 0, relu 1, tanh 2, relu 3, relu 4, identity 1, relu 5, relu 1", range(1, 9)
    ),
    "darts_v2": _cell(
        "sigmoid 0, relu 1, relu 1, identity 1, tanh 2, sigmoid 5, tanh 3, relu 5", range(1, 9)
    ),
    "enas": _cell(
        "tanh 0, tanh 1, relu 1, tanh 3, tanh 3, relu 3, relu 4, relu 7, relu 8, relu 8, relu 8",
        (2, 5, 6, 9, 10, 11),
    ),
}
