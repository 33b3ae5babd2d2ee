"""A language model as a client meets it: word numbers or texts in, probabilities or texts out."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_darts.formats.language_functions import LanguageFunctions
from tf_darts.formats.refusals import ROWS, refuse_unless, within
from tf_darts.formats.sampling import draw, uniform_rows
from tf_darts.formats.serving_model import DEFAULT, ServingModel, Signature
from tf_darts.formats.word_table import BYTES, WordTable

LONGEST = 1000  # words that one row of a request may ask for
HOTTEST = 1000  # temperature
TOP_K = 1_000_000
_REQUEST_LOGITS = 2**27  # logits that all words of a request may have together: 0.5 GiB
_STEP_LOGITS = 2**25  # logits of one word in all rows, of which several copies are made
_WORDS = 2**16  # that a request may have, however few words there are


class LanguageServing(ServingModel):
    """Scores and continuations of texts.

    Every text begins after an `<eos>`, with a hidden state of zeros. Signatures, by their inputs:

    - `serving_default`: `tokens` int32 [batch, time], `lengths` int32 [batch], 1 to time. Returns
      `log_probabilities` float32 [batch, time] (nats) of each word after those before it, 0 after
      the length, `perplexity` float32 [batch], e to minus their mean, and the `lengths` again.
    - `score_text`: `text` string [batch], words between white space; a line's end is an `<eos>`.
      Returns the same, and `words` string [batch, longest] as the model read them.
    - `next_token`: `token` int32 [batch], `hidden` float32 [batch, units]. Returns `probabilities`
      float32 [batch, words] of the word that follows, and `hidden` for the next step.
    - `generate`: `prompt` string, `length` int32 (1 to 1000), `temperature` float32 (0 to 1000),
      `top_k` int32 (0 to 1,000,000) and `seed` int32, all [batch]. Returns the continuation:
      `text` string [batch], `tokens` int32 [batch, longest length], filled up with `<eos>`, and
      `lengths` int32 [batch], how many of a row's tokens are its own.
      Temperature 0 takes the likeliest word; `top_k` 0 leaves out none. A row's answer does not
      depend on the others.

    A server that joins requests gives each an answer as wide as the longest row of all of them;
    `lengths` says in every answer that is filled up where a row ends.

    What a request may hold besides stands in the model card, under each signature's limits.

    Args:
      functions: the network.
      variables: that the functions read.
      units: U.
      words: the vocabulary.
      vocabulary_file: the same as a file, which becomes an asset.
    """

    def __init__(
        self,
        functions: LanguageFunctions,
        variables: Sequence[tf.Variable],
        *,
        units: int,
        words: Sequence[str],
        vocabulary_file: str | os.PathLike[str],
    ) -> None:
        super().__init__()
        self._functions = functions
        self._read = list(variables)
        self._units = units
        word_limit = min(_WORDS, max(LONGEST, _REQUEST_LOGITS // len(words)))
        self._table = WordTable(words, vocabulary_file, word_limit)
        self._rows = min(ROWS, max(1, _STEP_LOGITS // len(words)))
        self._first_words = tuple(words[:6])

    def signatures(self) -> dict[str, Signature]:
        def inputs(**types: Any) -> dict[str, tf.TensorSpec]:
            return {name: tf.TensorSpec([None], dtype) for name, dtype in types.items()}

        long, short = " ".join(self._first_words), self._first_words[0]
        numbers = np.arange(6, dtype=np.int32) % self._table.size
        tokens = np.stack([numbers, numbers[::-1]])
        hidden = np.random.default_rng(0).uniform(-1, 1, (2, self._units)).astype(np.float32)
        prompts = {
            "prompt": np.array(["", long], object),
            "length": np.int32([8, 5]),
            "temperature": np.float32([1.0, 0.0]),
            "top_k": np.int32([3, 0]),
            "seed": np.int32([1, 2]),
        }
        texts = np.array([f"{long}\n{short}", short], object)
        matrix = tf.TensorSpec([None, None], tf.int32)
        states = tf.TensorSpec([None, self._units], tf.float32)
        numbers_of_words = f"0 to {self._table.size - 1:,}"
        longest = f"rows times the longest at most {self._table.word_limit:,} words"
        text = f"together at most {BYTES:,} bytes, {longest}"
        return {
            DEFAULT: Signature(
                self.score,
                {"tokens": matrix, **inputs(lengths=tf.int32)},
                (
                    {"tokens": tokens[:1], "lengths": np.int32([6])},
                    {"tokens": tokens, "lengths": np.int32([6, 3])},
                ),
                self._rows,
                {"tokens": f"{numbers_of_words}, {longest}", "lengths": "1 to time"},
            ),
            "score_text": Signature(
                self.score_text,
                inputs(text=tf.string),
                ({"text": texts[:1]}, {"text": texts}),
                self._rows,
                {"text": text},
            ),
            "next_token": Signature(
                self.next_token,
                {**inputs(token=tf.int32), "hidden": states},
                (
                    {"token": tokens[:1, 0], "hidden": np.zeros_like(hidden[:1])},
                    {"token": tokens[:, 1], "hidden": hidden},
                ),
                self._rows,
                {"token": numbers_of_words, "hidden": "finite"},
            ),
            "generate": Signature(
                self.generate,
                inputs(
                    prompt=tf.string,
                    length=tf.int32,
                    temperature=tf.float32,
                    top_k=tf.int32,
                    seed=tf.int32,
                ),
                ({name: value[:1] for name, value in prompts.items()}, prompts),
                self._rows,
                {
                    "prompt": text,
                    "length": f"1 to {LONGEST:,}, {longest}",
                    "temperature": f"0 to {HOTTEST:,}",
                    "top_k": f"0 to {TOP_K:,}",
                },
            ),
        }

    def client_info(self) -> dict[str, Any]:
        return {
            "units": self._units,
            "words": self._table.size,
            "eos": self._table.end,
            "unk": self._table.unknown if self._table.unknown >= 0 else None,
        }

    def score(self, tokens: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        """`serving_default`."""
        batch, longest = tf.unstack(tf.shape(tokens))
        tokens, lengths = self._table.bounded(tf.fill([batch], longest), [tokens, lengths])
        sentence = "lengths must be from 1 to the number of tokens in a row."
        (lengths,) = refuse_unless((lengths >= 1) & (lengths <= longest), sentence, [lengths])
        inside = tf.sequence_mask(lengths, longest)
        # What fills up a row may be any number.
        tokens = self._check_numbers(tf.where(inside, tokens, self._table.end))
        following = tf.transpose(tokens)
        preceding = tf.concat([tf.fill([1, batch], self._table.end), following], 0)[:-1]
        outputs = self._functions.features(preceding, self._start(batch))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            following, self._functions.decode(outputs)
        )
        logarithms = tf.where(inside, -tf.transpose(losses), 0.0)
        mean = tf.reduce_sum(logarithms, axis=-1) / tf.cast(lengths, tf.float32)
        perplexity = tf.exp(-mean)
        return {"log_probabilities": logarithms, "perplexity": perplexity, "lengths": lengths}

    def score_text(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """`score_text`."""
        tokens, lengths = self._table.encode_lines(text)
        word_mask = tf.sequence_mask(lengths, tf.shape(tokens)[1])
        words = tf.where(word_mask, self._table.words(tokens), "")
        return self.score(tokens, lengths) | {"words": words}

    def next_token(self, token: tf.Tensor, hidden: tf.Tensor) -> dict[str, tf.Tensor]:
        """`next_token`."""
        sentence = "hidden must be finite numbers."
        (hidden,) = refuse_unless(tf.math.is_finite(hidden), sentence, [hidden])
        hidden = self._functions.step(self._check_numbers(token), hidden)
        return {
            "probabilities": tf.nn.softmax(self._functions.decode(hidden)),
            "hidden": hidden,
        }

    def generate(
        self,
        prompt: tf.Tensor,
        length: tf.Tensor,
        temperature: tf.Tensor,
        top_k: tf.Tensor,
        seed: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """`generate`."""
        length = within(length, 1, LONGEST, "length")
        temperature = within(temperature, 0, HOTTEST, "temperature")
        top_k = within(top_k, 0, TOP_K, "top_k")
        values = self._table.bounded(length, [prompt, length, temperature, top_k, seed])
        prompt, length, temperature, top_k, seed = values
        tokens, lengths = self._table.encode_start(prompt)
        outputs = self._functions.features(tf.transpose(tokens), self._start(tf.size(lengths)))
        hidden = tf.gather_nd(outputs, tf.stack([lengths - 1, tf.range(tf.size(lengths))], -1))
        longest = tf.reduce_max(length)
        chances = tf.transpose(uniform_rows(seed, longest))

        def word(t: tf.Tensor, hidden: tf.Tensor, drawn: tf.TensorArray) -> tuple[Any, ...]:
            logits = self._functions.decode(hidden)
            token = draw(logits, chances[t], temperature, top_k)
            # A loop's shapes must stay, and the batch is not known.
            hidden = tf.ensure_shape(self._functions.step(token, hidden), [None, self._units])
            return t + 1, hidden, drawn.write(t, token)

        start = tf.ensure_shape(hidden, [None, self._units])
        drawn = tf.TensorArray(tf.int32, longest, element_shape=[None])
        _, _, drawn = tf.while_loop(
            lambda t, *_: t < longest,
            word,
            (tf.constant(0), start, drawn),
            maximum_iterations=longest,
        )
        tokens = tf.transpose(drawn.stack())
        tokens = tf.where(tf.sequence_mask(length, longest), tokens, self._table.end)
        return {"text": self._table.text(tokens, length), "tokens": tokens, "lengths": length}

    def _start(self, batch: tf.Tensor) -> tf.Tensor:
        return tf.zeros([batch, self._units])

    def _check_numbers(self, tokens: tf.Tensor) -> tf.Tensor:
        """The same numbers, if there are such words."""
        return within(tokens, 0, self._table.size - 1, "The number of a word")
