"""The published cells (docs/method.md section 7), by space and name."""

from collections.abc import Mapping

from tf_darts.cells.genotype import ConvolutionalGenotype, Edge, Genotype, RecurrentGenotype

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


def _recurrent(cell: str, concat: range | tuple[int, ...]) -> RecurrentGenotype:
    pairs = (edge.split() for edge in cell.split(","))
    return RecurrentGenotype(tuple((name, int(node)) for name, node in pairs), tuple(concat))


def _convolutional(
    normal: str, normal_concat: tuple[int, ...], reduce: str, reduce_concat: tuple[int, ...]
) -> ConvolutionalGenotype:
    def cell(text: str) -> tuple[tuple[Edge, Edge], ...]:
        nodes = []
        for node in text.split("|"):
            pairs = (edge.split() for edge in node.split(","))
            nodes.append(tuple((_SHORT[name], int(source)) for name, source in pairs))
        return tuple(nodes)

    return ConvolutionalGenotype(cell(normal), normal_concat, cell(reduce), reduce_concat)


def published_cells(space: str) -> Mapping[str, Genotype]:
    """The published cells of a space by name; none of a space that has none."""
    return PUBLISHED.get(space, {})


PUBLISHED: dict[str, dict[str, Genotype]] = {
    "recurrent": {
        "darts_v1": _recurrent(
            "relu 0, relu 1, tanh 2, relu 3, relu 4, identity 1, relu 5, relu 1", range(1, 9)
        ),
        "darts_v2": _recurrent(
            "sigmoid 0, relu 1, relu 1, identity 1, tanh 2, sigmoid 5, tanh 3, relu 5",
            range(1, 9),
        ),
        "enas": _recurrent(
            "tanh 0, tanh 1, relu 1, tanh 3, tanh 3, relu 3, relu 4, relu 7, relu 8, relu 8,"
            " relu 8",
            (2, 5, 6, 9, 10, 11),
        ),
    },
    "convolutional": {
        "darts_v1": _convolutional(
            "sep3 1, sep3 0 | skip 0, sep3 1 | skip 0, sep3 1 | sep3 0, skip 2",
            (2, 3, 4, 5),
            "max 0, max 1 | skip 2, max 0 | max 0, skip 2 | skip 2, avg 0",
            (2, 3, 4, 5),
        ),
        "darts_v2": _convolutional(
            "sep3 0, sep3 1 | sep3 0, sep3 1 | sep3 1, skip 0 | skip 0, dil3 2",
            (2, 3, 4, 5),
            "max 0, max 1 | skip 2, max 1 | max 0, skip 2 | skip 2, max 1",
            (2, 3, 4, 5),
        ),
        "nasnet": _convolutional(
            "sep5 1, sep3 0 | sep5 0, sep3 0 | avg 1, skip 0 | avg 0, avg 0 | sep3 1, skip 1",
            (2, 3, 4, 5, 6),
            "sep5 1, sep7 0 | max 1, sep7 0 | avg 1, sep5 0 | skip 3, avg 2 | sep3 2, max 1",
            (4, 5, 6),
        ),
        "amoebanet": _convolutional(
            "avg 0, max 1 | sep3 0, sep5 2 | sep3 0, avg 3 | sep3 1, skip 1 | skip 0, avg 1",
            (4, 5, 6),
            "avg 0, sep3 1 | max 0, sep7 2 | sep7 0, avg 1 | max 0, max 1 | conv7 0, sep3 5",
            (3, 4, 6),
        ),
    },
}
