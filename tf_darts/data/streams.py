"""A corpus as the endless, resumable stream of batches that a recurrent search reads."""

from collections.abc import Iterator

import numpy as np

from tf_darts.data.batches import SearchBatch
from tf_darts.data.corpus import Corpus
from tf_darts.data.text_passes import TextPasses, batchify, evaluation_pairs


class TextSearchData:
    """Batches for the bilevel search on a text (docs/method.md section 5).

    A *pass* goes once over the training part in stretches of `bptt` rows, now and then of half
    as many; epochs are made of passes as `TextPasses` says. Any step can be gone to directly.

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
        joint: bool = False,
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
          joint: both streams read the training and the validation part, one after the other, half
            of the whole apart. The evaluation is then of text that was learnt from.

        Raises:
          UserError: a setting is out of range, or the text is too short for the batch sizes.
        """
        self._corpus = corpus
        self._bptt = bptt
        self._short_probability = short_probability
        self.evaluation_batch_size = evaluation_batch_size
        train, validation = corpus.train, corpus.validation
        if joint:
            train = np.concatenate([train, validation])
            validation = np.roll(train, -(len(train) // 2))
        # One row more than a batch: the targets are a row ahead of the inputs.
        self._train = batchify(train, batch_size, bptt + 1, "training")
        self._validation = batchify(validation, batch_size, bptt + 1, "validation")
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

    def evaluation(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """`(inputs, targets)` over the validation part, every target row exactly once.

        int32 `[bptt, evaluation_batch_size]` each, the last pair possibly shorter.
        """
        yield from evaluation_pairs(self._evaluation, self._bptt)

    def description(self) -> dict[str, int | str]:
        """The data set's name and its counts, for reports."""
        corpus = self._corpus
        return {
            "dataset": corpus.name,
            "vocabulary": corpus.vocabulary.size,
            "train_tokens": len(corpus.train),
            "validation_tokens": len(corpus.validation),
        }

    def _lengths(self, random: np.random.Generator) -> np.ndarray:
        short = self._bptt // 2
        draws = random.random((len(self._train) - 1) // short + 1) < self._short_probability
        return np.where(draws, short, self._bptt)
