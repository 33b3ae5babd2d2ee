import dataclasses

import numpy as np
import pytest

from tf_darts.data.texts.vocabulary import Vocabulary
from tf_darts.errors import UserError


def test_numbers_words_in_order_of_first_appearance():
    vocabulary = Vocabulary.build(["b", "a", "b", "<eos>", "c", "<eos>"])
    assert vocabulary.words == ("b", "a", "<eos>", "c")
    assert vocabulary.index == {"b": 0, "a": 1, "<eos>": 2, "c": 3}
    assert vocabulary.size == 4


def test_encodes_to_int32():
    ids = Vocabulary(("x", "y")).encode(["y", "x", "y"], "here")
    assert ids.dtype == np.int32
    assert ids.tolist() == [1, 0, 1]


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Vocabulary(("x",)).words = ()


def test_rare_words_become_unk():
    vocabulary = Vocabulary.build(["a", "b", "a", "<eos>", "c", "a"], min_count=2)
    assert vocabulary.words == ("a", "<unk>", "<eos>")
    assert vocabulary.encode(["c", "a", "never seen"], "here").tolist() == [1, 0, 1]


def test_unk_is_there_even_if_no_word_is_rare():
    assert Vocabulary.build(["a", "a"], min_count=2).words == ("a", "<unk>")


def test_an_unk_in_the_text_stands_for_new_words():
    assert Vocabulary.build(["a", "<unk>"]).encode(["new"], "here").tolist() == [1]


def test_a_new_word_without_unk_is_the_users_to_mend():
    with pytest.raises(UserError, match=r"^valid\.txt, line 7: the word 'new' .*--min_count=2"):
        Vocabulary.build(["a"]).encode(["a", "new"], "valid.txt, line 7")


def test_min_count_is_at_least_one():
    with pytest.raises(UserError, match=r"--min_count=0 .* 1 or more"):
        Vocabulary.build(["a"], min_count=0)
