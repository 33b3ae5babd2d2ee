"""One request fells no server: every signature, every bad value, both ways of loading.

Refused requests get their sentence each time they are asked, in place of what else would go wrong,
and before anything is allocated of what they ask for.
"""

import re
import resource
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.client import pywrap_tf_session

from tests.support.paths import ROOT
from tf_darts.errors import UserError
from tf_darts.formats.language_functions import exported_functions
from tf_darts.formats.language_serving import HOTTEST, LONGEST, TOP_K, LanguageServing
from tf_darts.formats.refusals import ROWS as ROWS_ALLOWED
from tf_darts.formats.rest_requests import answer
from tf_darts.formats.word_table import BYTES as BYTES_ALLOWED
from tf_darts.runs.export_tasks import export_task

TIMES = 10  # each request: TensorFlow runs in parallel what does not wait
MOST = 65_536  # words of a request, of so small a vocabulary
ROWS = "A request must have from 1 to 256 rows; send more of them in several requests."
WORDS = (
    f"A request must have at most {MOST:,} words, its rows times the words of the longest row; send"
    " the rows in several requests."
)
BYTES = "The texts of a request must have at most 262,144 bytes together."
LENGTH = "length must be from 1 to 1000."
TEMPERATURE = "temperature must be from 0 to 1000."
TOP = "top_k must be from 0 to 1000000."
LENGTHS = "lengths must be from 1 to the number of tokens in a row."
NUMBER = "The number of a word must be from 0 to 6."
HIDDEN = "hidden must be finite numbers."
HUGE = 2**31 - 1
MODELS = ("texts", "images", "strict")


def texts(*values):
    return np.array(values, object)


def numbers(*values):
    return np.array(values, np.int32)


GOOD = {
    "serving_default": {"tokens": numbers([0, 1, 3], [1, 2, 2]), "lengths": numbers(3, 1)},
    "score_text": {"text": texts("the cat", "")},
    "next_token": {"token": numbers(0, 1), "hidden": np.zeros([2, 6], np.float32)},
    "generate": {
        "prompt": texts("the", ""),
        "length": numbers(4, 2),
        "temperature": np.float32([1, 0]),
        "top_k": numbers(2, 0),
        "seed": numbers(-1, HUGE),
    },
    "images": {"images": np.zeros([2, 32, 32, 3], np.uint8)},
}


def hidden(value):
    return np.float32([[0] * 6, [0, value, 0, 0, 0, 0]])


REFUSED = [
    *(("generate", {"length": numbers(4, n)}, LENGTH) for n in (0, -1, 1001, 10**8, HUGE, -HUGE)),
    *(
        ("generate", {"temperature": np.float32([1, n])}, TEMPERATURE)
        for n in (-1, -1e-30, np.nan, np.inf, -np.inf, 1001)
    ),
    *(("generate", {"top_k": numbers(n, 0)}, TOP) for n in (-1, TOP_K + 1, HUGE, -HUGE - 1)),
    ("generate", {"prompt": texts("a " * 131_073, "")}, BYTES),
    ("generate", {"prompt": texts("\n" * 130_000, "")}, WORDS),
    (
        "generate",
        {
            "prompt": texts(*["the"] * 256),
            "length": numbers(*[1] * 255, 257),
            "temperature": np.ones(256, np.float32),
            "top_k": numbers(*[0] * 256),
            "seed": numbers(*[0] * 256),
        },
        WORDS,
    ),
    (
        "generate",
        {"seed": numbers(1)},
        "prompt, length, temperature, top_k, seed must have as many rows.",
    ),
    ("generate", {name: value[:0] for name, value in GOOD["generate"].items()}, ROWS),
    ("generate", {"length": numbers([4], [2])}, "length must have the shape [?], not [2,1]."),
    ("generate", {"seed": np.int32(1)}, "seed must have the shape [?], not []."),
    *(("serving_default", {"lengths": numbers(3, n)}, LENGTHS) for n in (0, -1, 4, HUGE, -HUGE)),
    *(
        ("serving_default", {"tokens": numbers([0, 1, n], [1, 2, 2])}, NUMBER)
        for n in (7, -1, HUGE, -HUGE)
    ),
    ("serving_default", {"tokens": np.zeros([2, 0], np.int32)}, LENGTHS),
    ("serving_default", {"tokens": np.zeros([2, MOST], np.int32)}, WORDS),
    ("serving_default", {"lengths": numbers(3)}, "tokens, lengths must have as many rows."),
    (
        "serving_default",
        {"tokens": np.zeros([0, 3], np.int32), "lengths": np.zeros([0], np.int32)},
        ROWS,
    ),
    (
        "serving_default",
        {"tokens": np.zeros([257, 3], np.int32), "lengths": np.ones([257], np.int32)},
        ROWS,
    ),
    (
        "serving_default",
        {"tokens": numbers(1, 2)},
        "tokens must have the shape [?, ?], not [2].",
    ),
    ("score_text", {"text": texts()}, ROWS),
    ("score_text", {"text": texts(*["a"] * 257)}, ROWS),
    ("score_text", {"text": texts("a" * 262_145)}, BYTES),
    ("score_text", {"text": texts(*["b" * 1025] * 256)}, BYTES),
    ("score_text", {"text": texts("a " * 1000, *[""] * 99)}, WORDS),
    ("score_text", {"text": texts("\n" * 262_000)}, WORDS),
    ("score_text", {"text": texts(["a"])}, "text must have the shape [?], not [1,1]."),
    *(("next_token", {"token": numbers(0, n)}, NUMBER) for n in (7, -1, HUGE, -HUGE)),
    *(("next_token", {"hidden": hidden(n)}, HIDDEN) for n in (np.nan, np.inf, -np.inf)),
    ("next_token", {"token": numbers(0)}, "token, hidden must have as many rows."),
    (
        "next_token",
        {"hidden": np.zeros([2, 7], np.float32)},
        "hidden must have the shape [?, 6], not [2,7].",
    ),
    ("next_token", {name: value[:0] for name, value in GOOD["next_token"].items()}, ROWS),
    ("images", {"images": np.zeros([0, 32, 32, 3], np.uint8)}, ROWS),
    ("images", {"images": np.zeros([257, 32, 32, 3], np.uint8)}, ROWS),
    (
        "images",
        {"images": np.zeros([1, 32, 33, 3], np.uint8)},
        "images must have the shape [?, 32, 32, 3], not [1,32,33,3].",
    ),
    (
        "images",
        {"images": np.zeros([32, 32, 3], np.uint8)},
        "images must have the shape [?, 32, 32, 3], not [32,32,3].",
    ),
]


class Server:
    """A SavedModel in a session, asked as TensorFlow Serving asks it.

    That is, below Python's session, which compares what is fed with the shapes of a signature.
    """

    def __init__(self, folder):
        with tf.Graph().as_default() as self.graph:
            self.session = tf.compat.v1.Session(graph=self.graph)
            loaded = tf.compat.v1.saved_model.load(self.session, ["serve"], str(folder))
            self.signatures = loaded.signature_def

    def ask(self, name, inputs):
        signature = self.signatures[name]

        def output(info):
            return self.graph.get_tensor_by_name(info.name)._as_tf_output()

        feeds = {output(signature.inputs[key]): value for key, value in inputs.items()}
        fetches = [output(info) for info in signature.outputs.values()]
        found = pywrap_tf_session.TF_SessionRun_wrapper(
            self.session._session, None, feeds, fetches, [], None
        )
        return dict(zip(signature.outputs, found, strict=True))


@pytest.fixture(scope="module")
def written(finished, opened, tmp_path_factory):
    """Folders of SavedModels: `texts`, `images`, and `strict`, a vocabulary without <unk>."""
    folder = tmp_path_factory.mktemp("models")
    for name, dataset in (("texts", "pydoc"), ("images", "cifar10")):
        network = finished(folder / "runs" / name, dataset)
        with opened(folder / "runs" / name) as training:
            save(export_task(training).served, folder / name)
        if name == "texts":
            listed = ("the", "cat", "<eos>", "sat", "dog", "on", "mat")
            file = folder / "vocabulary.txt"
            file.write_text("".join(f"{word}\n" for word in listed))
            functions = exported_functions(network.model)
            read = [weight.value for weight in network.weights]
            strict = LanguageServing(functions, read, units=6, words=listed, vocabulary_file=file)
            save(strict, folder / "strict")
    return folder


def save(served, folder):
    signatures = {name: one.concrete for name, one in served.signatures().items()}
    tf.saved_model.save(served, str(folder), signatures=signatures)


@pytest.fixture(scope="module")
def loaded(written):
    return {name: tf.saved_model.load(str(written / name)) for name in MODELS}


@pytest.fixture(scope="module")
def servers(written):
    found = {name: Server(written / name) for name in MODELS}
    yield found
    for server in found.values():
        server.session.close()


def request(signature, change):
    model = "images" if signature == "images" else "texts"
    name = "serving_default" if signature == "images" else signature
    return model, name, GOOD[signature] | change


def refusal(ask, *arguments, **named):
    """The sentence of a request that is refused, and how long it took."""
    began = time.perf_counter()
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        ask(*arguments, **named)
    seconds = time.perf_counter() - began
    (sentence,) = re.findall(r"assertion failed: \[(.*)\]", caught.value.message)
    return sentence, seconds


@pytest.mark.parametrize("signature", GOOD)
def test_what_is_right_is_answered(loaded, servers, signature):
    model, name, inputs = request(signature, {})
    tensors = {key: tf.constant(value) for key, value in inputs.items()}
    answer = loaded[model].signatures[name](**tensors)
    served = servers[model].ask(name, inputs)
    assert answer.keys() == served.keys()
    for key, value in answer.items():
        if value.dtype.is_floating:
            np.testing.assert_allclose(value, served[key], rtol=1e-5)
        else:
            np.testing.assert_array_equal(value, served[key])


@pytest.mark.parametrize(("signature", "change", "sentence"), REFUSED)
def test_in_a_session(servers, signature, change, sentence):
    model, name, inputs = request(signature, change)
    for _ in range(TIMES):
        said, seconds = refusal(servers[model].ask, name, inputs)
        assert said == sentence and seconds < 2


@pytest.mark.parametrize(
    ("signature", "change", "sentence"), [row for row in REFUSED if "the shape" not in row[2]]
)
def test_loaded_by_tensorflow_2(loaded, signature, change, sentence):
    model, name, inputs = request(signature, change)
    tensors = {key: tf.constant(value) for key, value in inputs.items()}
    for _ in range(TIMES):
        said, seconds = refusal(loaded[model].signatures[name], **tensors)
        assert said == sentence and seconds < 2


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (b"the gr\xc3\xb6\xc3\x9fe", "größe"),
        (b"\xff\xfe", "��"),
        (b"a" * 9000, "a" * 40),
        (b"a\x00b", r"a\000b"),
        (b"a%s{}\x1b]", r"a%s{}\033]"),
    ],
)
def test_unknown_words_are_named(loaded, servers, text, word):
    expected = f"{word} is not in the vocabulary, which has no <unk>; leave it out."
    row = {key: value[:1] for key, value in GOOD["generate"].items()} | {"prompt": texts(text)}
    for name, inputs in (("score_text", {"text": texts(text)}), ("generate", row)):
        tensors = {key: tf.constant(value) for key, value in inputs.items()}
        call = loaded["strict"].signatures[name]
        for _ in range(TIMES):
            assert refusal(servers["strict"].ask, name, inputs)[0] == expected
            assert refusal(call, **tensors)[0] == expected
    # With <unk> there is nothing to refuse.
    found = servers["texts"].ask("score_text", {"text": texts(text)})
    assert found["words"][0, -2] == b"<unk>"


def test_the_largest_that_are_allowed(servers):
    ask = servers["texts"].ask
    row = {"prompt": texts("the"), "length": numbers(LONGEST), "temperature": np.float32([HOTTEST])}
    row |= {"top_k": numbers(TOP_K), "seed": numbers(-HUGE - 1)}
    assert ask("generate", row)["tokens"].shape == (1, LONGEST)
    many = {key: np.repeat(value, 256) for key, value in row.items()} | {
        "length": numbers(*[256] * 256)
    }
    assert ask("generate", many)["tokens"].shape == (256, 256)
    text = texts(" ".join(["the"] * (MOST - 1)))
    found = ask("score_text", {"text": text})
    assert found["lengths"] == MOST and np.isfinite(found["perplexity"])
    tiny = row | {"length": numbers(5), "temperature": np.float32([1e-45])}
    greedy = row | {"length": numbers(5), "temperature": np.float32([0])}
    found, expected = (ask("generate", one)["tokens"] for one in (tiny, greedy))
    np.testing.assert_array_equal(found, expected)


def test_what_is_refused_takes_no_memory(servers):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for length in (10**8, 4 * 10**8, HUGE):
        _, _, inputs = request("generate", {"length": numbers(4, length)})
        for _ in range(TIMES):
            refusal(servers["texts"].ask, "generate", inputs)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert kilobytes < 50_000


def test_the_sentence_is_all_that_a_client_reads(loaded):
    row = {"prompt": "the", "length": 0, "temperature": 1, "top_k": 0, "seed": 1}
    document = {"signature_name": "generate", "instances": [row]}
    with pytest.raises(UserError) as caught:
        answer(loaded["texts"].signatures, document)
    assert str(caught.value) == f"The model refuses the request: {LENGTH}"


def test_the_bounds_stand_in_the_card(finished, opened, tmp_path):
    finished(tmp_path / "run", "pydoc")
    with opened(tmp_path / "run") as training:
        signatures = export_task(training).served.signatures()
    limits = {name: one.description["limits"] for name, one in signatures.items()}
    assert limits["generate"] == {
        "rows": "1 to 256",
        "prompt": "together at most 262,144 bytes, rows times the longest at most 65,536 words",
        "length": "1 to 1,000, rows times the longest at most 65,536 words",
        "temperature": "0 to 1,000",
        "top_k": "0 to 1,000,000",
    }
    assert all(one["rows"] == "1 to 256" for one in limits.values())


def test_a_large_vocabulary_bounds_rows_and_words(finished, tmp_path):
    words = ("<eos>", *map(str, range(299_999)))
    file = tmp_path / "vocabulary.txt"
    file.write_text("".join(f"{word}\n" for word in words))
    functions = exported_functions(finished(tmp_path / "run", "pydoc").model)
    served = LanguageServing(functions, [], units=6, words=words, vocabulary_file=file)
    limits = served.signatures()["score_text"].description["limits"]
    assert limits["rows"] == "1 to 111"
    assert limits["text"].endswith("at most 1,000 words")


def test_the_bounds_stand_in_the_document():
    text = ROOT.joinpath("docs", "serving.md").read_text("utf-8")
    table = text.split("**Bounds.**")[1].split("What is out of bounds")[0]
    for bound in (ROWS_ALLOWED, BYTES_ALLOWED, LONGEST, HOTTEST, TOP_K, MOST):
        assert f"{bound:,}" in table
    assert LENGTH in text
