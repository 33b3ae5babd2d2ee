"""What a command refuses before TensorFlow is loaded."""

import subprocess
import sys

import pytest

from tests.support.paths import ROOT
from tf_darts.cli.early_checks import check_files
from tf_darts.config.presets import configure
from tf_darts.errors import UserError

PTB = {"dataset": "ptb"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"mode": "search", "data_dir": "none"},
            "--data_dir=none is not a directory; give one",
        ),
        (
            {"mode": "select", "data_dir": "none"},
            "--data_dir=none is not a directory; give one",
        ),
        ({"mode": "train", "genotype": "none.json"}, r"none.json: cannot be read \(No such"),
        (
            {"mode": "train", "genotype": "nasnet"},
            "--genotype=nasnet: a convolutional cell; --da",
        ),
        ({"mode": "select", "candidates": "none"}, "--candidates: none is none of search, first"),
        (
            {"mode": "tune", "tune": "units=1:9", "genotype": "darts_v3"},
            "--genotype=darts_v3: no file and no published cell; for --dataset=ptb use one of",
        ),
        ({"mode": "tune", "tune": "foo=1:9"}, "--tune: foo is no setting of trainings on texts or"),
        (
            {"mode": "search", "dataset": "cifar10", "space": "nasbench201", "table": "none.csv"},
            r"none.csv: cannot be read \(No such file or directory\); a table is",
        ),
        ({"mode": "test", "run_dir": "none"}, "--run_dir=none: has no run in it"),
        ({"mode": "export", "run_dir": "none", "export_dir": "a"}, "--run_dir=none: has no run in"),
    ],
)
def test_what_is_not_there(given, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = {} if given["mode"] in ("test", "export") else PTB
    with pytest.raises(UserError, match=f"^{sentence}"):
        check_files(configure(data | given))
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("given", [{"mode": "search"}, {"mode": "train", "genotype": "enas"}])
def test_what_can_be_begun(given, tmp_path):
    check_files(configure(PTB | given | {"data_dir": str(tmp_path)}))


def test_a_set_that_is_downloaded_may_have_a_new_directory(tmp_path):
    given = {"mode": "search", "data_dir": str(tmp_path / "new")}
    for dataset, advised in (("ptb", True), ("cifar10", True), ("folder", False), ("text", False)):
        with pytest.raises(UserError) as told:
            check_files(configure(given | {"dataset": dataset}))
        assert ("or make it with mkdir -p" in str(told.value)) == advised


def test_tensorflow_is_not_loaded_for_it():
    """By the words of a whole command: nobody is told that TensorFlow is being loaded."""
    command = [sys.executable, "-m", "tf_darts.main", "--mode=train", "--dataset=ptb"]
    ended = subprocess.run(
        [*command, "--genotype=none.json"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("tf_darts: none.json: cannot be read")
