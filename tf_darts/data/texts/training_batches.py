"""A corpus as the endless, resumable stream of batches that a derived network is trained on."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from tf_darts.data.asset_files import VOCABULARY_FILE, listed
from tf_darts.data.batches import TrainingBatch
from tf_darts.data.fingerprint import Fingerprint, fingerprint_of_text, part_of_words
from tf_darts.data.texts.corpus import Corpus
from tf_darts.data.texts.passes import batchify, evaluation_pairs
from tf_darts.data.texts.text_data import TextData
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
    return evaluation_pairs(
        batchify(corpus.test, batch_size, part="test", setting="test_batch_size"), bptt
    )


def fingerprint_of_test(corpus: Corpus) -> Fingerprint:
    """What the test part of a corpus is, loaded with it."""
    return fingerprint_of_text(corpus.vocabulary.words, {"test": part_of_words(corpus.test)})


class TextTrainingData(TextData):
    """Batches for training a language model.

    A *pass* goes once over the training part in stretches of random length: normally distributed
    around `bptt`, now and then around half of it, cut off at 5 and `bptt` + 20 rows. What is left
    for the last one may be shorter.

    Attributes:
      validates: there always is a validation part.
    """

    validates: ClassVar[bool] = True

    def _least_rows(self) -> int:
        return 3  # the shortest batch has two

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

    def assets(self) -> dict[str, str]:
        """What a trained network must keep of its data, as files of its run by name."""
        return {VOCABULARY_FILE: listed(self._corpus.vocabulary.words)}

    def _lengths(self, random: np.random.Generator) -> np.ndarray:
        count = (len(self._train) - 1) // _SHORTEST + 1  # enough even if all are the shortest
        short = random.random(count) < self._short_probability
        means = np.where(short, self._bptt / 2, self._bptt)
        lengths = random.normal(means, _DEVIATION).astype(np.int64)  # cut off, as int() does
        return np.clip(lengths, _SHORTEST, self._bptt + _LONGEST)
