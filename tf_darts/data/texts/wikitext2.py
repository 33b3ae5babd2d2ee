"""WikiText-2: two million words of Wikipedia articles."""

import types
from collections.abc import Iterator

import tensorflow_datasets as tfds

from tf_darts.data.texts.tfds_text import LinesBuilder

# The first author's own copy of the archive whose checksum the field quotes. The address in most
# programs, s3.amazonaws.com/research.metamind.io, has refused every request since 2024.
_URL = "https://wikitext.smerity.com/wikitext-2-v1.zip"
_FILE_PARTS = {"train": "train", "validation": "valid", "test": "test"}


class Wikitext2(LinesBuilder):
    """2,088,628 / 217,646 / 245,569 tokens with `<eos>`, 33,278 words, `<unk>` among them."""

    VERSION = tfds.core.Version("1.0.0")
    TITLE = "WikiText-2"
    HOMEPAGE = "https://blog.salesforceairesearch.com/the-wikitext-long-term-dependency-language-modeling-dataset/"
    CITATION = """\
@inproceedings{merity2017pointer,
  title={Pointer Sentinel Mixture Models},
  author={Merity, Stephen and Xiong, Caiming and Bradbury, James and Socher, Richard},
  booktitle={International Conference on Learning Representations},
  year={2017},
}"""
    PROBE_URL = _URL
    FILES = types.MappingProxyType(
        {part: (f"wiki.{name}.tokens", f"{name}.txt") for part, name in _FILE_PARTS.items()}
    )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        folder = dl_manager.download_and_extract(_URL) / "wikitext-2"
        return {
            part: self._generate_examples(folder / f"wiki.{name}.tokens")
            for part, name in _FILE_PARTS.items()
        }
