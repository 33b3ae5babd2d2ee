"""A corpus as the endless, resumable stream of batches that a recurrent search reads."""

from collections.abc import Iterator

import numpy as np

from tf_darts.data.batches import SearchBatch
from tf_darts.data.corpus import Corpus
from tf_darts.errors import UserError


def batchify(
    tokens: np.ndarray, batch_size: int, min_rows: int = 2, part: str = "text"
) -> np.ndarray:
    """Cuts a text into `batch_size` contiguous stretches, one a column; trims the rest.

    Args:
      tokens: int32 `[tokens]`.
      batch_size: how many columns.
      min_rows: how many rows are needed.
      part: which text it is, for the error.

    Returns:
      int32 `[rows, batch_size]`.

    Raises:
      UserError: the text is too short for so many columns and rows.
    """
    if batch_size < 1:
        raise UserError(f"A batch size of {batch_size} holds no text; give 1 or more.")
    rows = len(tokens) // batch_size
    if rows < min_rows:
        raise UserError(
            f"The {part} part has {len(tokens)} tokens, but {batch_size} columns of {min_rows} rows"
            f" need {batch_size * min_rows}; use a smaller --batch_size or a longer text."
        )
    return np.ascontiguousarray(tokens[: rows * batch_size].reshape(batch_size, rows).T)


def unigram_perplexity(corpus: Corpus) -> float:
    """The validation perplexity of word frequencies alone (training counts plus one).

    A baseline: a model that does not beat it has learnt nothing from the order of words.
    """
    counts = np.bincount(corpus.train, minlength=corpus.vocabulary.size) + 1.0
    log_probability = np.log(counts) - np.log(counts.sum())
    return float(np.exp(-log_probability[corpus.validation].mean()))


class TextSearchData:
    """Batches for the bilevel search on a text (docs/method.md section 5).

    A *pass* goes once over the training part in stretches of `bptt` rows, now and then of half
    as many. Everything is a function of (seed, pass), so any step can be gone to directly.

    With `steps_per_epoch` 0 an epoch is a pass. Otherwise epoch e is the steps from
    e·steps_per_epoch on of all passes in a row, so that short epochs still see the whole text.

    Attributes:
      evaluation_batch_size: columns of the batches of `evaluation`.
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        batch_size: int,
        bptt: int = 35,
        seed: int,
        short_probability: float = 0.05,
        steps_per_epoch: int = 0,
        evaluation_batch_size: int = 10,
    ) -> None:
        """Lays out the text.

        Args:
          corpus: the text.
          batch_size: columns of the training and of the validation stream.
          bptt: rows of a batch, 4 or more.
          seed: of the lengths.
          short_probability: how often a training batch has only `bptt // 2` rows.
          steps_per_epoch: steps of an epoch; 0 is one pass.
          evaluation_batch_size: columns in `evaluation`.

        Raises:
          UserError: a setting is out of range, or the text is too short for the batch sizes.
        """
        if bptt < 4:
            raise UserError(f"A length of {bptt} is too short to halve; give 4 or more rows.")
        if not 0 <= short_probability <= 1:
            raise UserError(f"A probability of {short_probability} is not between 0 and 1.")
        if steps_per_epoch < 0:
            raise UserError(f"{steps_per_epoch} steps per epoch: give 1 or more, or 0 for a pass.")
        self._corpus = corpus
        self._bptt = bptt
        self._seed = seed
        self._short_probability = short_probability
        self._steps_per_epoch = steps_per_epoch
        self.evaluation_batch_size = evaluation_batch_size
        # One row more than a batch: the targets are a row ahead of the inputs.
        self._train = batchify(corpus.train, batch_size, bptt + 1, "training")
        self._validation = batchify(corpus.validation, batch_size, bptt + 1, "validation")
        self._evaluation = batchify(corpus.validation, evaluation_batch_size, part="validation")
        self._pass_ends = [0]  # how many steps the first 0, 1, ... passes have

    def steps(self, epoch: int) -> int:
        """How many batches `epoch` has."""
        return self._steps_per_epoch or len(self._stretches(epoch))

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[SearchBatch]:
        """The batches of an epoch from `start_step` on; the same ones whenever it is called.

        Training inputs and targets are int32 `[T, batch_size]` with T from 2 to `bptt`, validation
        ones `[bptt, batch_size]`: read at the training position modulo the length, cyclically.
        """
        number, step = epoch, start_step
        if self._steps_per_epoch:
            number, step = self._locate(epoch * self._steps_per_epoch + start_step)
        stretches = self._stretches(number)
        for _ in range(start_step, self.steps(epoch)):
            if step == len(stretches):
                number, step = number + 1, 0
                stretches = self._stretches(number)
            start, length = stretches[step]
            yield self._batch(start, length, starts_pass=step == 0)
            step += 1

    def evaluation(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """`(inputs, targets)` over the validation part, every target row exactly once.

        int32 `[bptt, evaluation_batch_size]` each, the last pair possibly shorter.
        """
        data = self._evaluation
        for start in range(0, len(data) - 1, self._bptt):
            end = min(start + self._bptt, len(data) - 1)
            yield data[start:end], data[start + 1 : end + 1]

    def description(self) -> dict[str, int | str]:
        """The data set's name and its counts, for reports."""
        corpus = self._corpus
        return {
            "dataset": corpus.name,
            "vocabulary": corpus.vocabulary.size,
            "train_tokens": len(corpus.train),
            "validation_tokens": len(corpus.validation),
            "test_tokens": len(corpus.test),
        }

    def _batch(self, start: int, length: int, starts_pass: bool) -> SearchBatch:
        rows = (start + np.arange(self._bptt)) % (len(self._validation) - 1)
        return SearchBatch(
            train=(
                self._train[start : start + length],
                self._train[start + 1 : start + length + 1],
            ),
            validation=(self._validation[rows], self._validation[rows + 1]),
            learning_rate_scale=length / self._bptt,
            starts_pass=starts_pass,
        )

    def _stretches(self, number: int) -> list[tuple[int, int]]:
        """`(start row, length)` of each training batch of pass `number`."""
        targets = len(self._train) - 1
        short = self._bptt // 2
        key = np.array([self._seed % 2**64, number], np.uint64)
        random = np.random.Generator(np.random.Philox(key=key))
        draws = random.random(targets // short + 1) < self._short_probability
        lengths = np.where(draws, short, self._bptt)
        starts = np.cumsum(lengths) - lengths
        # The regulariser on successive states needs two rows: a last single one is left out.
        starts = starts[starts <= targets - 2]
        lengths = np.minimum(lengths[: len(starts)], targets - starts)
        return list(zip(starts.tolist(), lengths.tolist(), strict=True))

    def _locate(self, step: int) -> tuple[int, int]:
        """The pass that the endless sequence is in at `step`, and the step within it."""
        while self._pass_ends[-1] <= step:
            number = len(self._pass_ends) - 1
            self._pass_ends.append(self._pass_ends[-1] + len(self._stretches(number)))
        number = int(np.searchsorted(self._pass_ends, step, side="right")) - 1
        return number, step - self._pass_ends[number]
