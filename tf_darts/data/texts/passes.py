"""What all readers of a text share: columns, passes in stretches of rows, the evaluation."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from tf_darts.errors import UserError


class Stretch(NamedTuple):
    """The rows of one training batch.

    Attributes:
      start: the first input row.
      length: how many rows.
      starts_pass: whether it is the first of its pass.
    """

    start: int
    length: int
    starts_pass: bool


def check_length(
    tokens: np.ndarray, batch_size: int, min_rows: int, part: str, setting: str = "batch_size"
) -> None:
    """Raises `UserError` where a text is too short for so many columns; arguments as `batchify`."""
    if batch_size < 1:
        raise UserError(f"A batch size of {batch_size} holds no text; give 1 or more.")
    most = len(tokens) // min_rows
    if most < batch_size:
        advice = f"use --{setting}={most} or less, or a longer text" if most else "give more text"
        raise UserError(
            f"The {part} part has {len(tokens)} tokens, but {batch_size} columns of {min_rows} rows"
            f" need {batch_size * min_rows}; {advice}."
        )


def batchify(
    tokens: np.ndarray,
    batch_size: int,
    min_rows: int = 2,
    part: str = "text",
    setting: str = "batch_size",
) -> np.ndarray:
    """Cuts a text into `batch_size` contiguous stretches, one a column; trims the rest.

    Args:
      tokens: int32 `[tokens]`.
      batch_size: how many columns.
      min_rows: how many rows are needed.
      part: which text it is, for the error.
      setting: what the user calls the number of columns, for the error.

    Returns:
      int32 `[rows, batch_size]`.

    Raises:
      UserError: the text is too short for so many columns and rows.
    """
    check_length(tokens, batch_size, min_rows, part, setting)
    rows = len(tokens) // batch_size
    return np.ascontiguousarray(tokens[: rows * batch_size].reshape(batch_size, rows).T)


def evaluation_pairs(rows: np.ndarray, bptt: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`(inputs, targets)` over a text in order: every row but the first is a target exactly once.

    Args:
      rows: int32 `[rows, batch_size]`.
      bptt: rows of a pair, the last one possibly shorter.
    """
    for start in range(0, len(rows) - 1, bptt):
        end = min(start + bptt, len(rows) - 1)
        yield rows[start:end], rows[start + 1 : end + 1]


class TextPasses:
    """Endless passes over the rows of a training text, in stretches of random length.

    The lengths are a function of (seed, pass), so any step can be gone to directly.

    With `steps_per_epoch` 0 an epoch is a pass. Otherwise epoch e is the steps from
    e·steps_per_epoch on of all passes in a row, so that short epochs still see the whole text.
    """

    def __init__(
        self,
        targets: int,
        draw_lengths: Callable[[np.random.Generator], np.ndarray],
        *,
        bptt: int,
        seed: int,
        short_probability: float,
        steps_per_epoch: int,
    ) -> None:
        """Describes the passes.

        Args:
          targets: rows that can be predicted: one less than there are.
          draw_lengths: integers `[stretches]` from a pass's generator, of at least `targets` rows
            together.
          bptt: the usual length of a stretch.
          seed: of the lengths.
          short_probability: how often a stretch is a short one.
          steps_per_epoch: steps of an epoch; 0 is one pass.

        Raises:
          UserError: a setting is out of range.
        """
        if bptt < 4:
            raise UserError(f"A length of {bptt} is too short to halve; give 4 or more rows.")
        if not 0 <= short_probability <= 1:
            raise UserError(f"A probability of {short_probability} is not between 0 and 1.")
        if steps_per_epoch < 0:
            raise UserError(f"{steps_per_epoch} steps per epoch: give 1 or more, or 0 for a pass.")
        self._targets = targets
        self._draw_lengths = draw_lengths
        self._seed = seed
        self._steps_per_epoch = steps_per_epoch
        self._pass_ends = [0]  # how many steps the first 0, 1, ... passes have

    def steps(self, epoch: int) -> int:
        """How many stretches `epoch` has."""
        return self._steps_per_epoch or len(self.stretches(epoch))

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Stretch]:
        """The stretches of an epoch from `start_step` on; the same ones whenever it is called."""
        number, step = epoch, start_step
        if self._steps_per_epoch:
            number, step = self._locate(epoch * self._steps_per_epoch + start_step)
        stretches = self.stretches(number)
        for _ in range(start_step, self.steps(epoch)):
            if step == len(stretches):
                number, step = number + 1, 0
                stretches = self.stretches(number)
            start, length = stretches[step]
            yield Stretch(start, length, starts_pass=step == 0)
            step += 1

    def stretches(self, number: int) -> list[tuple[int, int]]:
        """`(start row, length)` of each training batch of pass `number`."""
        key = np.array([self._seed % 2**64, number], np.uint64)
        lengths = self._draw_lengths(np.random.Generator(np.random.Philox(key=key)))
        starts = np.cumsum(lengths) - lengths
        # The regulariser on successive states needs two rows: a last single one is left out.
        starts = starts[starts <= self._targets - 2]
        lengths = np.minimum(lengths[: len(starts)], self._targets - starts)
        return list(zip(starts.tolist(), lengths.tolist(), strict=True))

    def _locate(self, step: int) -> tuple[int, int]:
        """The pass that the endless sequence is in at `step`, and the step within it."""
        while self._pass_ends[-1] <= step:
            number = len(self._pass_ends) - 1
            self._pass_ends.append(self._pass_ends[-1] + len(self.stretches(number)))
        number = int(np.searchsorted(self._pass_ends, step, side="right")) - 1
        return number, step - self._pass_ends[number]
