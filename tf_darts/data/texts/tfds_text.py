"""What the published text corpora share: a TFDS builder of lines, raw files, the download."""

import abc
import hashlib
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import requests
import tensorflow as tf
import tensorflow_datasets as tfds
from absl import logging
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError
from tensorflow_datasets.core.download.extractor import ExtractError

from tf_darts.data.pipelines import options
from tf_darts.data.texts import corpus
from tf_darts.data.texts.text_files import read_lines
from tf_darts.errors import UserError
from tf_darts.runtime import files

_PROBE_SECONDS = 5  # for each address of the host, of which there may be four


class LinesBuilder(tfds.core.GeneratorBasedBuilder):
    """A TFDS data set with one feature, `text`, a line of a file; lines keep their order.

    A subclass says where the files are; its checksums stand in `checksums.tsv` beside this file.
    """

    # TFDS looks for checksums.tsv beside it. Its own way to find it needs a package that TFDS
    # 4.9.10 does not install (tensorflow/datasets#11212).
    code_path = tfds.core.Path(__file__)

    TITLE: ClassVar[str]  # the corpus's name in prose
    HOMEPAGE: ClassVar[str]
    CITATION: ClassVar[str]
    PROBE_URL: ClassVar[str]  # a download address, to see at once whether there is a way to it
    # For each part of the corpus the names of the raw files that are read without TFDS.
    FILES: ClassVar[Mapping[str, Sequence[str]]]
    # The addresses of these very files, where they are not in an archive: known checksums.
    RAW_URLS: ClassVar[Mapping[str, str]] = {}

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"{self.TITLE}, one example a line, in order.",
            features=tfds.features.FeaturesDict({"text": tfds.features.Text()}),
            homepage=self.HOMEPAGE,
            citation=self.CITATION,
            disable_shuffling=True,  # a language model reads across lines
        )

    @abc.abstractmethod
    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        """For each of `corpus.PARTS` the `_generate_examples` of its file."""

    def _generate_examples(self, path: pathlib.Path) -> Iterator[tuple[int, dict[str, str]]]:
        for number, line in enumerate(read_lines(path)):
            yield number, {"text": line}


def load(
    builder_class: type[LinesBuilder],
    data_dir: pathlib.Path | None,
    min_count: int,
    with_test: bool = False,
) -> corpus.Corpus:
    """Reads a published corpus: raw files where `data_dir` has them, else TFDS, downloading.

    Args:
      builder_class: which corpus.
      data_dir: a directory with the raw files, or TFDS's; None is TFDS's default one.
      min_count: see `Vocabulary.build`.
      with_test: whether the test part is read too.

    Raises:
      UserError: the corpus is incomplete or damaged, or is absent and cannot be downloaded.
    """
    paths = corpus.find_files(data_dir, builder_class.FILES, with_test) if data_dir else {}
    if paths:
        raw_corpus = corpus.from_files(builder_class.name, paths, min_count)
        _warn_if_changed(builder_class, paths)
        return raw_corpus
    builder = builder_class(data_dir=data_dir)
    _prepare(builder)
    parts = {part: _read_part(builder, part) for part in corpus.parts_to_read(with_test)}
    return corpus.from_lines(builder.name, parts, min_count)


def _warn_if_changed(builder_class: type[LinesBuilder], paths: Mapping[str, pathlib.Path]) -> None:
    for part, url in builder_class.RAW_URLS.items():
        if part not in paths:
            continue
        digest = hashlib.sha256(files.read_bytes(paths[part])).hexdigest()
        if digest != builder_class.url_infos[url].checksum:
            logging.warning(
                "%s is not the published %s text of %s (its sha256 differs): perplexities are"
                " not comparable with published ones.",
                paths[part],
                part,
                builder_class.TITLE,
            )


def _prepare(builder: LinesBuilder) -> None:
    tfds.disable_progress_bar()  # a few megabytes, and the bars garble a log
    if files.exists(builder.data_path):
        return
    try:
        # TFDS retries for minutes without a network, and has no timeout.
        with requests.get(builder.PROBE_URL, stream=True, timeout=_PROBE_SECONDS) as answer:
            answer.raise_for_status()
        builder.download_and_prepare()
    except NonMatchingChecksumError as error:
        reason = "what came has not the published checksum"
        raise _unavailable(builder, reason) from error
    except requests.HTTPError as error:
        raise _unavailable(builder, f"HTTP status {error.response.status_code}") from error
    except requests.RequestException as error:
        raise _unavailable(builder, f"no connection, {type(error).__name__}") from error
    except (tfds.download.DownloadError, ExtractError, OSError, tf.errors.OpError) as error:
        raise _unavailable(builder, str(error).partition("\n")[0].rstrip(".")) from error


def _unavailable(builder: LinesBuilder, reason: str) -> UserError:
    names = ", ".join(accepted[0] for accepted in builder.FILES.values())
    return UserError(
        f"{builder.TITLE} is not in {builder.data_dir_root} and could not be downloaded from"
        f" {builder.PROBE_URL} ({reason}); put {names} in a directory and give --data_dir=DIR,"
        " or use --dataset=pydoc, which is embedded and needs nothing."
    )


def _read_part(builder: LinesBuilder, part: str) -> corpus.Lines:
    dataset = builder.as_dataset(
        split=part,
        batch_size=4096,
        # File by file keeps the order.
        read_config=tfds.ReadConfig(interleave_cycle_length=1, options=options()),
    )
    try:
        lines = [
            line.decode("utf-8") for batch in dataset.as_numpy_iterator() for line in batch["text"]
        ]
    except tf.errors.OpError as error:
        raise UserError(
            f"{builder.data_dir}: the prepared copy of {builder.TITLE} is damaged"
            f" ({type(error).__name__}); delete this directory and start again."
        ) from error
    return corpus.Lines(f"{builder.name} ({part})", lines)
