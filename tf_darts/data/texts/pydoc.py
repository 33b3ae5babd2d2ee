"""The embedded text: the topics that Python's own `help()` shows, always there, no download.

The text differs a little from one Python version to the next, so compare perplexities only
within one. It is small (about 85,000 tokens): good for trying things, not for results.
"""

import pathlib
import re
from collections.abc import Iterator

from tf_darts.data.texts import corpus
from tf_darts.errors import UserError

# Words and names; numbers; punctuation, where a run of one character (`**`, `...`) is one token.
_TOKEN = re.compile(r"[^\W\d]\w*|\d\w*(?:\.\d\w*)*|([^\w\s])\1*")
_SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
_MIN_COUNT = 2


def load(data_dir: pathlib.Path | None, min_count: int, with_test: bool = False) -> corpus.Corpus:
    """The embedded corpus.

    Args:
      data_dir: must be None.
      min_count: see `Vocabulary.build`; at least 2, as the held-out topics have words of their own.
      with_test: whether the test part is numbered too.

    Raises:
      UserError: a `data_dir` was given, or this Python comes without its documentation topics.
    """
    if data_dir is not None:
        raise UserError(
            "The data set pydoc is embedded and takes no --data_dir; leave the flag out, or give"
            " --dataset=text to read a text of your own."
        )
    lines = {part: [] for part in _SHARES}
    for part, topic in _split(_distinct_lines(_topics())):
        lines[part] += topic
    parts = {
        part: corpus.Lines(f"pydoc ({part})", lines[part])
        for part in corpus.parts_to_read(with_test)
    }
    return corpus.from_lines("pydoc", parts, max(min_count, _MIN_COUNT))


def _topics() -> dict[str, str]:
    try:
        # Some builds of Python leave it out; the other data sets must work there.
        from pydoc_data.topics import topics
    except ImportError as error:
        raise UserError(
            "The data set pydoc needs Python's module pydoc_data.topics, which this Python does"
            " not have; install your system's full Python, or use another --dataset."
        ) from error
    return topics


def _distinct_lines(topics: dict[str, str]) -> Iterator[list[str]]:
    """Each topic's tokenised lines.

    Topics quote each other at length (`compound` holds `if`, `while`, `for`, ...). Only a
    paragraph's first appearance counts, or the held-out topics would be in the training text.
    """
    paragraphs = set()
    for _, text in sorted(topics.items()):
        lines = []
        for paragraph in re.split(r"\n\s*\n", text):
            words = tuple(paragraph.split())
            if words not in paragraphs:
                paragraphs.add(words)
                lines += [_tokenize(line) for line in paragraph.split("\n")]
        yield [line for line in lines if any(c.isalnum() for c in line)]  # no rules, no blanks


def _tokenize(line: str) -> str:
    tokens = (match[0] for match in _TOKEN.finditer(line.lower()))
    return " ".join("N" if token[0].isdigit() else token for token in tokens)


def _split(topics: Iterator[list[str]]) -> Iterator[tuple[str, list[str]]]:
    """Gives whole topics, the longest first, to the part that lacks most of its share of lines."""
    line_counts = dict.fromkeys(_SHARES, 0)
    for topic in sorted(topics, key=len, reverse=True):
        total = sum(line_counts.values()) + len(topic)
        part = max(_SHARES, key=lambda name: _SHARES[name] * total - line_counts[name])
        line_counts[part] += len(topic)
        yield part, topic
