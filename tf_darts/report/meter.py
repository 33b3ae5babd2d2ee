"""How fast a run goes, and what it holds in memory."""

import time
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_darts.runtime.memory.estimate import peak_resident

_GIGABYTE = 1e9


class Meter:
    """Counts the steps between two readings; what is not a step (an evaluation) is left out.

    Args:
      settings: of the run. Its batch is `batch_size` examples; of texts, as many rows of `bptt`
        words. A search's step reads as many validation examples besides, which are not counted.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        rows, words = settings.get("batch_size"), settings.get("bptt")
        self._unit = "examples" if words is None else "words"
        self._size = None if rows is None else rows * (1 if words is None else words)
        self._first: tuple[int, float] | None = None
        self._last: tuple[int, float] | None = None

    def step(self, step: int) -> None:
        """A step was taken, the `step`-th of the run."""
        self._last = step, time.monotonic()
        if self._first is None or step <= self._first[0]:  # after a rollback
            self._first = self._last

    def read(self) -> dict[str, float]:
        """By name: steps and examples (or words) per second, and the most memory until now.

        The speed is that of the steps after the first since the last reading: the first one's
        beginning is not known, and a run's first one compiles. Of a single step there is none.
        """
        first, last = self._first, self._last
        self._first = self._last = None
        numbers = {"peak_gigabytes": peak_resident() / _GIGABYTE}
        for number, device in enumerate(tf.config.list_logical_devices("GPU")):
            peak = tf.config.experimental.get_memory_info(device.name)["peak"]
            numbers[f"peak_gigabytes_of_gpu_{number}"] = peak / _GIGABYTE
        if first and last and last[0] > first[0] and last[1] > first[1]:
            speed = (last[0] - first[0]) / (last[1] - first[1])
            numbers["steps_per_second"] = speed
            if self._size is not None:
                numbers[f"{self._unit}_per_second"] = speed * self._size
        return numbers
