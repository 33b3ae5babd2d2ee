"""Smaller sets of operations: the spaces S1 to S4 of RobustDARTS (Zela et al., ICLR 2020).

Where DARTS fails in the first three, most of its cells are skip connections; S4 has noise to find
out. S1 has two operations on each
edge, which differ from edge to edge; edges are in the order of α's rows.
"""

_SHORT = {
    "sk": "skip_connect",
    "mx": "max_pool_3x3",
    "av": "avg_pool_3x3",
    "s3": "sep_conv_3x3",
    "d3": "dil_conv_3x3",
    "d5": "dil_conv_5x5",
}


def _by_edge(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(_SHORT[name] for name in edge.split()) for edge in text.split(","))


S1 = {
    "normal": _by_edge(
        "sk d3, sk d5, sk d5, sk s3, sk d3, mx sk, sk s3, sk s3, sk d3, sk s3, mx sk, sk d3, d3 d5,"
        " d3 d5"
    ),
    "reduce": _by_edge(
        "mx av, mx d3, mx av, mx av, sk d5, mx av, mx s3, sk d3, sk d5, mx av, mx av, sk d5, sk d5,"
        " sk d5"
    ),
}
S2 = ("skip_connect", "sep_conv_3x3")
S3 = ("none", "skip_connect", "sep_conv_3x3")
S4 = ("noise", "sep_conv_3x3")
