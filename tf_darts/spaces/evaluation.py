"""A network's or a supernet's measures over a part of the data."""

from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from tf_darts.spaces.supernet import Evaluation, State


def means_over(
    batches: Iterable[Any],
    state: State,
    evaluate: Callable[[Any, State], Evaluation],
    should_stop: Callable[[], bool],
) -> dict[str, float] | None:
    """The means of what is measured over all predictions in `batches`; None if stopped meanwhile.

    Args:
      batches: each part of the data once.
      state: before the first of them.
      evaluate: the sums of one batch, given as tensors, and the state for the next.
      should_stop: is asked before every batch.
    """
    totals: dict[str, float] = {}
    count = 0.0
    for batch in batches:
        if should_stop():
            return None
        result = evaluate(tf.nest.map_structure(tf.convert_to_tensor, batch), state)
        state = result.state
        count += float(result.count)
        for name, value in result.totals.items():
            totals[name] = totals.get(name, 0.0) + float(value)
    return {name: total / count for name, total in totals.items()}
