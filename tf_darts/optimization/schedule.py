"""Learning rates over the epochs of a run."""

import math


def cosine(first: float, last: float, epoch: float, epochs: int) -> float:
    """The cosine from `first` (epoch 0) towards `last` (epoch `epochs`), constant where equal.

    `epoch` may be a fraction: 2.5 is in the middle of epoch 2.
    """
    return last + 0.5 * (first - last) * (1.0 + math.cos(math.pi * epoch / epochs))


def exponential(first: float, decay: float, epoch: int) -> float:
    """`first` in epoch 0, and `decay` times as much in every further one."""
    return first * decay**epoch
