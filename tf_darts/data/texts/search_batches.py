"""A corpus as the endless, resumable stream of batches that a recurrent search reads."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tf_darts.data.batches import SearchBatch
from tf_darts.data.texts.corpus import Corpus
from tf_darts.data.texts.passes import batchify, check_length
from tf_darts.data.texts.text_data import TextData


class TextSearchData(TextData):
    """Batches for the bilevel search on a text (docs/method.md section 5).

    A *pass* goes once over the training part in stretches of `bptt` rows, now and then of half
    as many. The validation part is laid out in as many columns, and read beside it.
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        batch_size: int,
        bptt: int = 35,
        joint: bool = False,
        **settings: Any,
    ) -> None:
        """Lays out the text; other arguments as of `TextData`.

        Args:
          corpus: the text.
          batch_size: columns of the training and of the validation stream.
          bptt: as of `TextData`.
          joint: both streams read the training and the validation part, one after the other, half
            of the whole apart. The evaluation is then of text that was learnt from.
          **settings: see `TextData`.
        """
        train, validation = corpus.train, corpus.validation
        if joint:
            train = np.concatenate([train, validation])
            validation = np.roll(train, -(len(train) // 2))
        # The shorter one first, so that the advice is right for both.
        shorter = min(
            (train, "training"), (validation, "validation"), key=lambda part: len(part[0])
        )
        check_length(shorter[0], batch_size, bptt + 1, shorter[1])
        super().__init__(corpus, batch_size=batch_size, bptt=bptt, train=train, **settings)
        self._validation = batchify(validation, batch_size, self._least_rows(), "validation")

    def _least_rows(self) -> int:
        return self._bptt + 1

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[SearchBatch]:
        """The batches of an epoch from `start_step` on; the same ones whenever it is called.

        Training inputs and targets are int32 `[T, batch_size]` with T from 2 to `bptt`, validation
        ones `[bptt, batch_size]`: read at the training position modulo the length, cyclically.
        """
        for start, length, starts_pass in self._passes.epoch(epoch, start_step):
            rows = (start + np.arange(self._bptt)) % (len(self._validation) - 1)
            end = start + length
            yield SearchBatch(
                train=(self._train[start:end], self._train[start + 1 : end + 1]),
                validation=(self._validation[rows], self._validation[rows + 1]),
                learning_rate_scale=length / self._bptt,
                starts_pass=starts_pass,
            )

    def sample(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """As `evaluation`: a text goes on from one batch to the next."""
        return self.evaluation()

    def _lengths(self, random: np.random.Generator) -> np.ndarray:
        short = self._bptt // 2
        draws = random.random((len(self._train) - 1) // short + 1) < self._short_probability
        return np.where(draws, short, self._bptt)
