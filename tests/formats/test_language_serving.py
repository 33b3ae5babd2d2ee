"""A language model's signatures: against the network's own evaluation, and against one another."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.formats.language_functions import exported_functions, trained_functions
from tf_darts.formats.language_serving import LONGEST, LanguageServing

WORDS = ("the", "cat", "<eos>", "sat", "<unk>", "on", "mat")
EOS = 2


@pytest.fixture(scope="module")
def network(finished, tmp_path_factory):
    return finished(tmp_path_factory.mktemp("run") / "run", "pydoc")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("words") / "vocabulary.txt"
    path.write_text("".join(f"{word}\n" for word in WORDS))
    return path


@pytest.fixture(scope="module")
def serving(network, file):
    functions = exported_functions(network.model)
    return LanguageServing(functions, [], units=6, words=WORDS, vocabulary_file=file)


def generate(serving, prompts, **settings):
    given = {"length": 8, "temperature": 1.0, "top_k": 0, "seed": 1} | settings
    types = {"length": tf.int32, "temperature": tf.float32, "top_k": tf.int32, "seed": tf.int32}
    rows = {k: tf.constant(np.broadcast_to(v, len(prompts)), types[k]) for k, v in given.items()}
    return serving.generate(tf.constant(prompts), **rows)


def test_perplexity_is_the_networks_own(serving, network):
    text = np.array([0, 1, 3, 5, 0, 6, 2, 4], np.int32)
    before = np.concatenate([[EOS], text[:-1]])
    found = network.evaluation_sums((before[:, None], text[:, None]), network.initial_state(1))
    mean = float(found.totals["loss"]) / len(text)
    answer = serving.score(tf.constant([text]), tf.constant([len(text)]))
    np.testing.assert_allclose(answer["perplexity"], [np.exp(mean)], rtol=1e-5)
    np.testing.assert_allclose(answer["log_probabilities"].numpy().mean(), -mean, rtol=1e-5)


def test_what_fills_a_row_up_does_not_count(serving):
    alone = serving.score(tf.constant([[0, 1, 3]]), tf.constant([3]))
    filled = serving.score(tf.constant([[0, 1, 3, -7, 99], [1] * 5]), tf.constant([3, 5]))
    np.testing.assert_allclose(
        filled["log_probabilities"][0, :3], alone["log_probabilities"][0], rtol=1e-5
    )
    np.testing.assert_array_equal(filled["log_probabilities"][0, 3:], [0, 0])
    np.testing.assert_allclose(filled["perplexity"][0], alone["perplexity"][0], rtol=1e-5)


def test_an_answer_out_of_a_joined_batch_is_the_request_s_own_within_its_lengths(serving):
    """As a server does: rows of several requests in one batch, its answer cut row by row."""
    joined = serving.score(tf.constant([[0, 1, 0, 0], [3, 4, 5, 6]]), tf.constant([2, 4]))
    alone = serving.score(tf.constant([[0, 1]]), tf.constant([2]))
    np.testing.assert_array_equal(joined["lengths"], [2, 4])
    for name in ("log_probabilities", "perplexity", "lengths"):
        own = joined[name].numpy()[0]
        own = own[: joined["lengths"][0]] if own.ndim else own
        np.testing.assert_allclose(own, alone[name].numpy()[0], rtol=1e-5)
    texts = generate(serving, ["the", "cat"], length=[3, 6], seed=[1, 2])
    alone = generate(serving, ["the"], length=3, seed=1)
    assert texts["tokens"].shape[1] == 6 and texts["lengths"].numpy().tolist() == [3, 6]
    np.testing.assert_array_equal(texts["tokens"][0, : texts["lengths"][0]], alone["tokens"][0])


def test_texts_are_scored_as_their_numbers(serving):
    answer = serving.score_text(tf.constant(["the cat\nsat unheard", "mat"]))
    assert answer["words"].numpy().tolist() == [
        [b"the", b"cat", b"<eos>", b"sat", b"<unk>", b"<eos>"],
        [b"mat", b"<eos>", b"", b"", b"", b""],
    ]
    numbers = serving.score(
        tf.constant([[0, 1, 2, 3, 4, 2], [6, 2, 0, 0, 0, 0]]), tf.constant([6, 2])
    )
    np.testing.assert_array_equal(answer["lengths"], [6, 2])
    np.testing.assert_array_equal(answer["log_probabilities"], numbers["log_probabilities"])


def test_steps_give_the_same_as_a_score(serving):
    text, hidden, logarithms = [0, 1, 3, 2], tf.zeros([1, 6]), []
    for before, word in zip([EOS, *text], text, strict=False):
        answer = serving.next_token(tf.constant([before]), hidden)
        np.testing.assert_allclose(answer["probabilities"].numpy().sum(), 1, rtol=1e-5)
        logarithms.append(np.log(answer["probabilities"][0, word]))
        hidden = answer["hidden"]
    scored = serving.score(tf.constant([text]), tf.constant([4]))["log_probabilities"]
    np.testing.assert_allclose(scored, [logarithms], rtol=1e-4, atol=1e-6)


def test_generating_takes_the_likeliest_at_temperature_0(serving):
    answer = generate(serving, ["the cat", ""], temperature=0)
    for prompt, tokens in zip(([0, 1], []), answer["tokens"].numpy(), strict=True):
        hidden = tf.zeros([1, 6])
        for word in [EOS, *prompt]:
            step = serving.next_token(tf.constant([word]), hidden)
            hidden = step["hidden"]
        for word in tokens:
            assert word == np.argmax(step["probabilities"])
            step = serving.next_token(tf.constant([word]), step["hidden"])


def test_a_generated_row_does_not_depend_on_the_others(serving):
    settings = {"length": [8, 3, 8], "seed": [1, 2, 3], "temperature": [1.0, 2.0, 0.5]}
    prompts = ["the", "cat sat on the", ""]
    together = generate(serving, prompts, **settings)
    for i, prompt in enumerate(prompts):
        alone = generate(serving, [prompt], **{k: v[i] for k, v in settings.items()})
        assert together["text"][i] == alone["text"][0]
    assert (together["tokens"].numpy()[1, 3:] == EOS).all()


def test_the_seed_matters_and_top_k_limits(serving):
    texts = {generate(serving, ["the"], seed=seed)["text"].numpy()[0] for seed in range(6)}
    assert len(texts) > 1
    assert generate(serving, ["the"], seed=3)["text"] == generate(serving, ["the"], seed=3)["text"]
    greedy = generate(serving, ["the"], temperature=0)["tokens"]
    np.testing.assert_array_equal(generate(serving, ["the"], top_k=1, seed=4)["tokens"], greedy)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s: s.score(tf.constant([[0, 7]]), tf.constant([2])), "word must be from 0 to 6"),
        (lambda s: s.score(tf.constant([[0, 1]]), tf.constant([3])), "lengths must be"),
        (lambda s: s.score(tf.constant([[0, 1]]), tf.constant([0])), "lengths must be"),
        (lambda s: s.next_token(tf.constant([-1]), tf.zeros([1, 6])), "word must be from 0 to 6"),
        (lambda s: generate(s, ["the"], length=LONGEST + 1), "length must be"),
        (lambda s: generate(s, ["the"], temperature=-1.0), "temperature must be"),
        (lambda s: generate(s, ["the"], temperature=np.nan), "temperature must be"),
        (lambda s: generate(s, ["the"], top_k=-1), "top_k must be"),
    ],
)
def test_requests_that_are_refused(serving, call, words):
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        call(serving)


@pytest.mark.slow
def test_the_exported_form_has_no_xla_and_gives_the_same(serving, network, file):
    functions = trained_functions(network.model)
    trained = LanguageServing(functions, [], units=6, words=WORDS, vocabulary_file=file)
    theirs = trained.signatures()
    for name, ours in serving.signatures().items():
        graph = ours.concrete.graph.as_graph_def()
        nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
        assert not any("_XlaMustCompile" in n.attr for n in nodes)
        assert not any("_XlaMustCompile" in f.attr for f in graph.library.function)
        for request in ours.examples:
            inputs = ours.tensors(request)
            expected = theirs[name].concrete(**inputs)
            for key, value in ours.concrete(**inputs).items():
                if value.dtype.is_floating:
                    np.testing.assert_allclose(value, expected[key], rtol=1e-5, atol=1e-6)
                else:
                    np.testing.assert_array_equal(value, expected[key])
