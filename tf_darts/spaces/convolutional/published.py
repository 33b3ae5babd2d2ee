"""The published convolutional cells (docs/method.md section 7), as `Genotype.to_dict` has them."""

from typing import Any

# Short names; two edges a node for images.
_SHORT = {
    "max": "max_pool_3x3",
    "avg": "avg_pool_3x3",
    "skip": "skip_connect",
    "sep3": "sep_conv_3x3",
    "sep5": "sep_conv_5x5",
    "sep7": "sep_conv_7x7",
    "dil3": "dil_conv_3x3",
    "dil5": "dil_conv_5x5",
    "conv7": "conv_7x1_1x7",
}


def _cells(
    normal: str, normal_concat: tuple[int, ...], reduce: str, reduce_concat: tuple[int, ...]
) -> dict[str, Any]:
    def edges(text: str) -> list[list[Any]]:
        pairs = (edge.split() for node in text.split("|") for edge in node.split(","))
        return [[_SHORT[name], int(source)] for name, source in pairs]

    return {
        "normal": edges(normal),
        "normal_concat": list(normal_concat),
        "reduce": edges(reduce),
        "reduce_concat": list(reduce_concat),
    }


CELLS = {
    "darts_v1": _cells(
        "sep3 1, sep3 0 | skip 0, sep3 1 | skip 0, sep3 1 | sep3 0, skip 2",
        (2, 3, 4, 5),
        "max 0, max 1 | skip 2, max 0 | max 0, skip 2 | skip 2, avg 0",
        (2, 3, 4, 5),
    ),
    "darts_v2": _cells(
        "sep3 0, sep3 1 | sep3 0, sep3 1 | sep3 1, skip 0 | skip 0, dil3 2",
        (2, 3, 4, 5),
        "max 0, max 1 | skip 2, max 1 | max 0, skip 2 | skip 2, max 1",
        (2, 3, 4, 5),
    ),
    "nasnet": _cells(
        "sep5 1, sep3 0 | sep5 0, sep3 0 | avg 1, skip 0 | avg 0, avg 0 | sep3 1, skip 1",
        (2, 3, 4, 5, 6),
        "sep5 1, sep7 0 | max 1, sep7 0 | avg 1, sep5 0 | skip 3, avg 2 | sep3 2, max 1",
        (4, 5, 6),
    ),
    "amoebanet": _cells(
        "avg 0, max 1 | sep3 0, sep5 2 | sep3 0, avg 3 | sep3 1, skip 1 | skip 0, avg 1",
        (4, 5, 6),
        "avg 0, sep3 1 | max 0, sep7 2 | sep7 0, avg 1 | max 0, max 1 | conv7 0, sep3 5",
        (3, 4, 6),
    ),
}
