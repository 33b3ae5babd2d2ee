"""What the search's and the training's batches of a text share."""

import abc
from collections.abc import Iterator

import numpy as np

from tf_darts.data.fingerprint import Fingerprint, fingerprint_of_text, part_of_words
from tf_darts.data.texts.corpus import Corpus
from tf_darts.data.texts.passes import TextPasses, batchify, evaluation_pairs


class TextData(abc.ABC):
    """A corpus laid out in columns: passes over its training part, and its validation part once.

    Epochs are made of passes as `TextPasses` says. Any step can be gone to directly.

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
        train: np.ndarray | None = None,
    ) -> None:
        """Lays out the text.

        Args:
          corpus: the text.
          batch_size: columns of a batch.
          bptt: the usual number of rows of a batch, 4 or more.
          seed: of the lengths.
          short_probability: how often a training batch is meant to have half as many rows.
          steps_per_epoch: steps of an epoch; 0 is one pass.
          evaluation_batch_size: columns in `evaluation`.
          train: what is learnt from, int32 `[tokens]`; None is the corpus's training part.

        Raises:
          UserError: a setting is out of range, or the text is too short for the batch sizes.
        """
        self._corpus = corpus
        self._bptt = bptt
        self._short_probability = short_probability
        self.evaluation_batch_size = evaluation_batch_size
        train = corpus.train if train is None else train
        self._train = batchify(train, batch_size, self._least_rows(), "training")
        self._evaluation = batchify(
            corpus.validation,
            evaluation_batch_size,
            part="validation",
            setting="evaluation_batch_size",
        )
        self._passes = TextPasses(
            len(self._train) - 1,
            self._lengths,
            bptt=bptt,
            seed=seed,
            short_probability=short_probability,
            steps_per_epoch=steps_per_epoch,
        )

    @abc.abstractmethod
    def _least_rows(self) -> int:
        """How many rows the training part must have; targets are a row ahead of the inputs."""

    @abc.abstractmethod
    def _lengths(self, random: np.random.Generator) -> np.ndarray:
        """Rows of each batch of a pass: as many batches as it can have, or more."""

    @property
    def longest(self) -> int:
        """Rows of the longest batch of the first pass."""
        return max(length for _, length in self._passes.stretches(0))

    def steps(self, epoch: int) -> int:
        """How many batches `epoch` has."""
        return self._passes.steps(epoch)

    def evaluation(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """`(inputs, targets)` over the validation part, every target row exactly once.

        int32 `[bptt, evaluation_batch_size]` each, the last pair possibly shorter.
        """
        yield from evaluation_pairs(self._evaluation, self._bptt)

    def fingerprint(self) -> Fingerprint:
        """What the words and the two parts of the text are, however they are laid out."""
        corpus = self._corpus
        parts = {
            "training": part_of_words(corpus.train),
            "validation": part_of_words(corpus.validation),
        }
        return fingerprint_of_text(corpus.vocabulary.words, parts)

    def description(self) -> dict[str, int | str]:
        """The data set's name and its counts, for reports."""
        corpus = self._corpus
        return {
            "dataset": corpus.name,
            "vocabulary": corpus.vocabulary.size,
            "train_tokens": len(corpus.train),
            "validation_tokens": len(corpus.validation),
        }
