"""A corpus as the endless, resumable stream of batches that a derived network is trained on."""

from collections.abc import Iterator

import numpy as np

from tf_darts.data.asset_files import VOCABULARY_FILE, listed
from tf_darts.data.batches import TrainingBatch
from tf_darts.data.corpus import Corpus
from tf_darts.data.text_passes import TextPasses, batchify, evaluation_pairs
from tf_darts.errors import UserError

_DEVIATION = 5  # rows: of the length of a batch
_SHORTEST = 5  # rows
_LONGEST = 20  # rows above `bptt`


def text_test(
    corpus: Corpus, *, batch_size: int = 1, bptt: int = 35
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`(inputs, targets)` over the test part in order, every target exactly once.

    Args:
      corpus: loaded with its test part.
      batch_size: columns; with 1 every word but the first is predicted.
      bptt: rows of a pair, the last one possibly shorter.

    Returns:
      An iterator over pairs of int32 `[bptt, batch_size]`.

    Raises:
      UserError: the text is too short, or a setting out of range.
      ValueError: the corpus was loaded without its test part.
    """
    if corpus.test is None:
        raise ValueError(f"{corpus.name} was loaded without its test part")
    if bptt < 1:
        raise UserError(f"A length of {bptt} rows: give 1 or more.")
    return evaluation_pairs(batchify(corpus.test, batch_size, part="test"), bptt)


class TextTrainingData:
    """Batches for training a language model.

    A *pass* goes once over the training part in stretches of random length: normally distributed
    around `bptt`, now and then around half of it, cut off at 5 and `bptt` + 20 rows. What is left
    for the last one may be shorter. Epochs are made of passes as `TextPasses` says. Any step can
    be gone to directly.

    Attributes:
      evaluation_batch_size: columns of the batches of `evaluation`.
      validates: whether there is a validation part.
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
        final: bool = False,
    ) -> None:
        """Lays out the text.

        Args:
          corpus: the text.
          batch_size: columns of a training batch.
          bptt: the mean number of rows of a batch, 4 or more.
          seed: of the lengths.
          short_probability: how often the mean is only half of `bptt`.
          steps_per_epoch: steps of an epoch; 0 is one pass.
          evaluation_batch_size: columns in `evaluation`.
          final: trains on the training and the validation part, one after the other, and
            validates on nothing.

        Raises:
          UserError: a setting is out of range, or the text is too short for the batch sizes.
        """
        self._corpus = corpus
        self._bptt = bptt
        self._short_probability = short_probability
        self.evaluation_batch_size = evaluation_batch_size
        self.validates = not final
        tokens = np.concatenate([corpus.train, corpus.validation]) if final else corpus.train
        self._train_tokens = len(tokens)
        # Three rows make the shortest batch, of two: the targets are a row ahead of the inputs.
        self._train = batchify(tokens, batch_size, 3, "training")
        if self.validates:
            self._evaluation = batchify(corpus.validation, evaluation_batch_size, part="validation")
        self._passes = TextPasses(
            len(self._train) - 1,
            self._lengths,
            bptt=bptt,
            seed=seed,
            short_probability=short_probability,
            steps_per_epoch=steps_per_epoch,
        )

    def steps(self, epoch: int) -> int:
        """How many batches `epoch` has."""
        return self._passes.steps(epoch)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[TrainingBatch]:
        """The batches of an epoch from `start_step` on; the same ones whenever it is called.

        Inputs and targets are int32 `[T, batch_size]`, T from 2 to `bptt` + 20.
        """
        for start, length, starts_pass in self._passes.epoch(epoch, start_step):
            end = start + length
            yield TrainingBatch(
                batch=(self._train[start:end], self._train[start + 1 : end + 1]),
                learning_rate_scale=length / self._bptt,
                starts_pass=starts_pass,
            )

    def evaluation(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """`(inputs, targets)` over the validation part, every target row exactly once.

        int32 `[bptt, evaluation_batch_size]` each, the last pair possibly shorter; nothing where
        the training is final.
        """
        if self.validates:
            yield from evaluation_pairs(self._evaluation, self._bptt)

    def description(self) -> dict[str, int | str]:
        """The data set's name and its counts, for reports."""
        return {
            "dataset": self._corpus.name,
            "vocabulary": self._corpus.vocabulary.size,
            "train_tokens": self._train_tokens,
            "validation_tokens": len(self._corpus.validation) if self.validates else 0,
        }

    def assets(self) -> dict[str, str]:
        """What a trained network must keep of its data, as files of its run by name."""
        return {VOCABULARY_FILE: listed(self._corpus.vocabulary.words)}

    def _lengths(self, random: np.random.Generator) -> np.ndarray:
        count = (len(self._train) - 1) // _SHORTEST + 1  # enough even if all are the shortest
        short = random.random(count) < self._short_probability
        means = np.where(short, self._bptt / 2, self._bptt)
        lengths = random.normal(means, _DEVIATION).astype(np.int64)  # cut off, as int() does
        return np.clip(lengths, _SHORTEST, self._bptt + _LONGEST)
