"""Names that are near, in the sentences about names that are not known."""

from tf_darts.errors import did_you_mean, enumerated


def test_did_you_mean():
    known = ["darts", "dart_s", "gdas"]
    assert did_you_mean("dart", known) == " (did you mean darts or dart_s?)"
    assert did_you_mean("dart", known, 1) == " (did you mean darts?)"
    assert did_you_mean("dart", known, alike=0.85) == " (did you mean darts?)"
    assert did_you_mean("xyz", known) == did_you_mean(3, known) == ""


def test_words_are_listed_as_a_sentence_does():
    assert enumerated([]) == ""
    assert enumerated(["a"]) == "a"
    assert enumerated(["a", "b"]) == "a and b"
    assert enumerated(iter(["a", "b", "c"])) == "a, b and c"
