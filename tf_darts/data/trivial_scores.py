"""Scores of something trivial: a model that does not beat them has learnt nothing."""

import numpy as np

# What the two are called in reports.
WORD_FREQUENCIES = "word frequencies alone"
MOST_FREQUENT_CLASS = "the most frequent class"


def unigram_perplexity(words: int, train: np.ndarray, text: np.ndarray) -> float:
    """The perplexity of word frequencies alone (counts in the training text plus one).

    Args:
      words: size of the vocabulary.
      train: int32 `[tokens]`.
      text: what is scored, int32 `[tokens]`.
    """
    counts = np.bincount(train, minlength=words) + 1.0
    log_probability = np.log(counts) - np.log(counts.sum())
    return float(np.exp(-log_probability[text].mean()))


def majority_accuracy(train_labels: np.ndarray, labels: np.ndarray) -> float:
    """Per cent of `labels` that are the most frequent class among `train_labels`."""
    frequent = np.bincount(train_labels).argmax()
    return float(100 * (labels == frequent).mean())
