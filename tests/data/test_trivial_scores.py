import numpy as np
import pytest

from tf_darts.data.trivial_scores import majority_accuracy, unigram_perplexity


def test_unigram_perplexity():
    train = np.array([0, 0, 0, 1], np.int32)  # smoothed: 4/6 and 2/6
    text = np.array([0, 1], np.int32)
    assert unigram_perplexity(2, train, text) == pytest.approx(1 / np.sqrt(4 / 6 * 2 / 6))


def test_words_that_the_training_text_lacks_count_as_seen_once():
    train = np.array([0, 0, 0], np.int32)
    assert unigram_perplexity(2, train, np.array([1], np.int32)) == pytest.approx(5)


def test_unigram_perplexity_of_a_uniform_text_is_the_vocabulary():
    words = np.arange(3000, dtype=np.int32)
    assert unigram_perplexity(3000, words, words[::2]) == pytest.approx(3000)


def test_majority_accuracy_takes_the_class_from_the_training_labels():
    train = np.array([0, 0, 1], np.int32)
    assert majority_accuracy(train, np.array([0, 1, 1, 1], np.int32)) == 25
