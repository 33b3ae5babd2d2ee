"""Learning rates over a search."""

import math


def cosine(first: float, last: float, epoch: int, epochs: int) -> float:
    """The cosine from `first` (epoch 0) towards `last` (epoch `epochs`), constant where equal."""
    return last + 0.5 * (first - last) * (1.0 + math.cos(math.pi * epoch / epochs))
