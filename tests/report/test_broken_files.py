"""Every file of a run that a report reads, broken in every way; and that reading writes nothing."""

import json
import os
import re
import sys

import pytest

from tests.support.broken_files import BREAKS, MORE_BREAKS, flips, remove
from tf_darts.errors import UserError
from tf_darts.report.read_runs import read_entries
from tf_darts.report.summary_report import write_report
from tf_darts.runtime.run_directory import RunDirectory

# What may still be a file of a run; all other ways make none of it.
PERHAPS_A_FILE = {"flipped", "object", "removed", *flips(10)}
FILES = [
    "train/config.json",
    "train/history.jsonl",
    "train/genotype.json",
    "train/result.json",
    "train/test.json",
    "train/counts.json",
    "train/data.json",
    "search/config.json",
    "search/history.jsonl",
    "search/genotype.json",
    "study/config.json",
    "study/ranking.json",
    "study/candidates/exact_seed0/train/config.json",
    "study/candidates/exact_seed0/train/history.jsonl",
    "study/candidates/exact_seed0/search/history.jsonl",
]


@pytest.fixture
def three(runs):
    """The directories of a search, a training of its cell, and a study."""
    search = runs.search("search", hypergradient="exact")
    train = runs.train("train", given=search / "genotype.json", test=138.0, text="one")
    return [search, train, runs.study("study", {"exact": [130.0], "random": [140.0]})]


def sentence_of(paths):
    """What is said of runs that cannot be read; None of others."""
    try:
        read_entries([str(path) for path in paths])
    except UserError as error:
        assert "\n" not in str(error) and str(error).endswith("."), error
        return str(error)
    return None


@pytest.mark.parametrize("name", FILES)
def test_a_broken_file(three, tmp_path, name):
    broken = tmp_path / name
    content = broken.read_bytes()
    run = tmp_path / name.split("/")[0]
    # A training needs the search's files for what they say of its search.
    others = [path for path in three if path != run and not (run.name == "search" and path != run)]
    others = others or [three[2]]
    for way, change in (BREAKS | MORE_BREAKS | flips(10)).items():
        change(broken)
        sentence = sentence_of(three)
        empty_history = name.endswith(".jsonl") and way == "emptied"
        if way not in PERHAPS_A_FILE:
            assert sentence, f"{name}, {way}"
        if sentence:
            assert str(run) in sentence or empty_history, (way, sentence)
            assert re.search("leave (this run|it) out|give another|move this file", sentence), way
            assert sentence_of(others) is None, "its advice works"
        remove(broken) if broken.exists() else None
        broken.write_bytes(content)
    assert sentence_of(three) is None


def test_the_line_and_what_is_wrong_are_told(three, tmp_path):
    file = tmp_path / "train" / "history.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    second = json.loads(lines[1])

    def told(*changed):
        file.write_text("".join(changed))
        return sentence_of(three)

    assert "history.jsonl: cannot be read (line 2: Expecting" in told(lines[0], "{,}\n")
    assert "line 2 is not the record of epoch 2" in told(lines[0], lines[0])
    for name, value in (("seconds", None), ("validation_perplexity", "12"), ("train_loss", [])):
        assert f"line 2: '{name}' is no number" in told(
            lines[0], json.dumps(second | {name: value}) + "\n"
        )
    known = {name: value for name, value in second.items() if "perplexity" not in name}
    assert "has no score that reports know" in told(lines[0], json.dumps(known) + "\n")
    assert told(lines[0], json.dumps(second | {"validation_dice": 3.0}) + "\n") is None


def test_a_test_that_is_no_test_is_not_read_as_none(three, tmp_path):
    (tmp_path / "train" / "test.json").write_text("null")
    assert "test.json: cannot be read (line 1 holds null" in sentence_of(three)
    (tmp_path / "train" / "test.json").write_text('{"epoch": 1}')
    assert "it holds no test perplexity" in sentence_of(three)


def test_metrics_that_nobody_knows_are_reported(three, tmp_path, rewrite):
    file = tmp_path / "train" / "history.jsonl"
    records = [json.loads(line) | {"curvature": [1, 2]} for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    rewrite(tmp_path / "train" / "test.json", lambda test: test["scores"].update(dice=0.5))
    text = write_report([str(path) for path in three], str(tmp_path / "report"), "random")
    assert "138.00" in text.read_text(encoding="utf-8")


def stamps(directory):
    """Names, sizes and times of all that is in a directory."""
    paths = [directory, *directory.rglob("*")]
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in paths}


WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def test_reading_writes_nothing(three, tmp_path, monkeypatch):
    """As on a disk that is only read, where root too may not write."""
    (three[0] / ".lock").unlink()  # a copy need not have one
    report, before = tmp_path / "elsewhere", {path: stamps(path) for path in three}
    opened = []

    def watch(event, arguments):
        if event == "open" and watching and isinstance(arguments[0], str):
            opened.extend([arguments[0]] if (arguments[2] or 0) & WRITING else [])

    watching = [True]  # a hook is for good
    sys.addaudithook(watch)
    write_report([str(path) for path in three], str(report), "random")
    watching.clear()
    written = [name for name in opened if name.startswith(str(tmp_path))]
    assert written and all(name.startswith(str(report)) for name in written)
    assert {path: stamps(path) for path in three} == before
    assert not (three[0] / ".lock").exists()


def test_a_run_that_is_running_is_not_read(three):
    path = str(three[1])
    running, _ = RunDirectory.open(path)
    assert "another process is running there" in sentence_of([path])
    running.close()
    assert sentence_of([path]) is None
    reading, _ = RunDirectory.read(path)
    other, _ = RunDirectory.read(path)  # two reports at once
    with pytest.raises(UserError, match="another process is running there"):
        RunDirectory.open(path)
    reading.close(), other.close()
    RunDirectory.open(path)[0].close()
