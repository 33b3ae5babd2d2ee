"""Architecture strings of NAS-Bench-201: read, written, shortened, counted and compared.

    |nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|

has between `+` the edges into nodes 1, 2 and 3, each an operation and the node that it reads. An
architecture is the six operations in this order: edges 1←0, 2←0, 2←1, 3←0, 3←1, 3←2. Source: Dong,
Yang, ICLR 2020, and the authors' AutoDL-Projects. Nothing here needs TensorFlow.
"""

import functools
import itertools
import random
import re
from collections.abc import Iterator, Mapping, Sequence

from tf_darts.cells.discrete_cell import DiscreteCell
from tf_darts.errors import UserError
from tf_darts.runtime.files import shown

# In the authors' order, which is that of α's columns.
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NODES = 3  # after the input; node i has an edge from each of the i before it
EDGES = 6
LETTERS = dict(zip(OPERATIONS, "-s13a", strict=True))  # of the short form

Architecture = tuple[str, ...]  # six operations

_SEPARATED = re.compile(r"\|?((?:\w+~[0-9]{1,3}\|)*\w+~[0-9]{1,3})\|?")
EXAMPLE = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"


@functools.lru_cache(maxsize=2**15)
def parse(text: str) -> Architecture:
    """The architecture in a string; the bars at its nodes' ends may be missing.

    Raises:
      UserError: it is no such string.

    Examples:
      >>> parse("|none~0|+|skip_connect~0|none~1|+|none~0|none~1|nor_conv_3x3~2|")
      ('none', 'skip_connect', 'none', 'none', 'none', 'nor_conv_3x3')
    """
    nodes = [_SEPARATED.fullmatch(part.strip()) for part in text.strip().split("+")]
    if len(nodes) != NODES or None in nodes:
        raise UserError(
            f"a cell of NAS-Bench-201 is written like {EXAMPLE}, and not {shown(text)}."
        )
    operations = []
    for node, match in enumerate(nodes, start=1):
        edges = [edge.split("~") for edge in match[1].split("|")]
        sources = [int(source) for _, source in edges]
        if sources != list(range(node)):
            raise UserError(
                f"node {node} of the cell reads the nodes {shown(sources)}; it has one edge from"
                f" each of 0 to {node - 1}, in this order, as in {EXAMPLE}."
            )
        operations += [name for name, _ in edges]
    return checked(operations)


def checked(operations: Sequence[str]) -> Architecture:
    """Six operations as an architecture; raises `UserError` where they are none."""
    for name in operations:
        if name not in OPERATIONS:
            raise UserError(
                f"unknown operation {shown(repr(name))} of NAS-Bench-201; use one of"
                f" {', '.join(OPERATIONS)}."
            )
    if len(operations) != EDGES:
        raise UserError(f"a cell of NAS-Bench-201 has {EDGES} edges, and not {len(operations)}.")
    return tuple(operations)


def nodes_of(architecture: Sequence[str]) -> list[list[tuple[str, int]]]:
    """The edges (operation, predecessor) of nodes 1 to 3: what genotypes are made of."""
    operations = iter(checked(architecture))
    return [[(next(operations), source) for source in range(node)] for node in (1, 2, 3)]


def fields(text: str) -> dict[str, list[tuple[str, int]]]:
    """The cell in a string as a genotype's fields; raises `UserError` as `parse`."""
    return {"nasbench201": [edge for node in nodes_of(parse(text)) for edge in node]}


def written(architecture: Sequence[str]) -> str:
    """The string of an architecture; the inverse of `parse`.

    Examples:
      >>> written(["skip_connect"] * 6)
      '|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|'
    """
    return "+".join(
        "|" + "".join(f"{name}~{source}|" for name, source in node)
        for node in nodes_of(architecture)
    )


def of_fields(cell: Mapping[str, Sequence[tuple[str, int]]]) -> str:
    """The string of a cell in a genotype's fields; the inverse of `fields`.

    A node's edges may stand in another order there; in a string they do not. Raises `UserError`
    where there are more or fewer nodes, which no string has.

    Examples:
      >>> of_fields(fields(EXAMPLE)) == EXAMPLE
      True
    """
    checked([name for name, _ in cell["nasbench201"]])
    edges = iter(cell["nasbench201"])
    nodes = [sorted((next(edges) for _ in range(node)), key=lambda e: e[1]) for node in (1, 2, 3)]
    return written([name for node in nodes for name, _ in node])


def normal(text: str) -> str:
    """A string as `written` has it; raises `UserError` as `parse`."""
    return written(parse(text))


def short(architecture: Sequence[str]) -> str:
    """A letter for each edge, node by node: `3`, `1` convolutions, `s`kip, `a`verage, `-` none.

    Examples:
      >>> short(parse(EXAMPLE))
      '3/-3/s-s'
    """
    letters = "".join(LETTERS[name] for name in checked(architecture))
    return f"{letters[0]}/{letters[1:3]}/{letters[3:]}"


def from_short(text: str) -> Architecture:
    """The architecture of a short form; raises `UserError` where it is none."""
    names = {letter: name for name, letter in LETTERS.items()}
    if not re.fullmatch(r"[-s13a]/[-s13a]{2}/[-s13a]{3}", text):
        raise UserError(
            "the short form of a cell of NAS-Bench-201 is like 3/-3/s-s, with 3, 1, s, a and -, and"
            f" not {shown(text)}."
        )
    return tuple(names[letter] for letter in text if letter != "/")


def canonical(architecture: Sequence[str]) -> str:
    """What isomorphic architectures have in common: an expression of the input, node after node.

    It is the authors' `to_unique_str` with `consider_zero`: a skip connection stands for what it
    reads, `none` and what reads zeros for zeros (`#`), and sums are sorted. It tells 6,466 of the
    15,625 apart. It is not complete: zeros stay in a sum, so that `#+#` is not `#`.

    Examples:
      >>> canonical(from_short("3/ss/---"))
      '#+#+#'
    """
    expressions = ["0"]
    for node in nodes_of(architecture):
        terms = []
        for name, source in node:
            if name == "none" or expressions[source] == "#":
                terms.append("#")
            elif name == "skip_connect":
                terms.append(expressions[source])
            else:
                terms.append(f"({expressions[source]})@{name}")
        expressions.append("+".join(sorted(terms)))
    return expressions[-1]


def convolutions(architecture: Sequence[str]) -> tuple[int, int]:
    """How many edges are 3×3 and 1×1 convolutions; those that reach nothing are counted."""
    operations = checked(architecture)
    return operations.count("nor_conv_3x3"), operations.count("nor_conv_1x1")


def convolution_counts(text: str) -> tuple[int, int]:
    """`convolutions` of the architecture in a string."""
    return convolutions(parse(text))


def is_connected(architecture: Sequence[str]) -> bool:
    """Whether the input reaches the output; elsewhere a network knows nothing of its images."""
    nodes = tuple(map(tuple, nodes_of(architecture)))
    return DiscreteCell(nodes, (NODES,)).is_connected(inputs=1)


def all_architectures() -> Iterator[Architecture]:
    """All 15,625, the last edge's operation fastest."""
    return itertools.product(OPERATIONS, repeat=EDGES)


def drawn(generator: random.Random) -> Architecture:
    """An architecture at random, all equally likely."""
    return tuple(generator.choice(OPERATIONS) for _ in range(EDGES))
