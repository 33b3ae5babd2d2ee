"""The example's method by the ordinary commands, and through the checks of its doors."""

import json
import runpy
import subprocess
import sys

import pytest

from tests.support import in_process
from tests.support.paths import ROOT
from tests.support.registries import forget_members
from tests.test_documents import blocks
from tf_darts.testing import check_method

OWN = ROOT / "examples" / "own_method.py"
WORDS = " the cat <unk> sat on the mat \n"


@pytest.fixture
def loaded(monkeypatch):
    forget_members(monkeypatch)
    runpy.run_path(str(OWN))


def test_a_method_takes_forty_lines_at_most():
    assert len(OWN.read_text(encoding="utf-8").splitlines()) <= 40


def test_the_document_shows_the_file():
    shown = blocks(ROOT / "docs" / "own_method.md")[1:3]
    assert [block.split("\n")[0] for block in shown] == [
        '@register("exploring")',
        "register_method(",
    ]
    assert all(block.rstrip("\n") in OWN.read_text(encoding="utf-8") for block in shown)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [{}, pytest.param({"hypergradient": "exact", "first_share": 0.9}, marks=pytest.mark.long)],
)
def test_it_is_a_method(loaded, settings):
    check_method("exploring_darts", **settings)


def run(cwd, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "tf_darts.main", f"--load={OWN}", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(cwd)},
    )


def ran(cwd, *arguments):
    status, _, err = in_process.run(
        in_process.MAIN, f"--load={OWN}", *arguments, cwd=cwd, eagerly=True
    )
    assert status == 0, err


@pytest.mark.slow
def test_the_ordinary_commands(uncounted, undrawn, tmp_path):
    for part, lines in (("train", 40), ("valid", 8), ("test", 8)):
        (tmp_path / f"{part}.txt").write_text(WORDS * lines, encoding="utf-8")
    text = ["--dataset=text", f"--data_dir={tmp_path}"]
    sizes = "units=8,batch_size=4,epochs=1,steps_per_epoch=2,accelerate=off"
    select = ["--mode=select", "--candidates=exploring_darts,random", "--count=1", *text]
    select += ["--operations=tanh,identity"]
    search = f"{sizes},weight_learning_rate=0.1,first_share=0.3,bptt=4,gap_epochs=0"
    select += [f"--search_settings={search}"]
    select += [f"--train_settings={sizes},learning_rate=0.1,bptt=6"]
    ran(tmp_path, *select, "--run_dir=study")
    ranking = json.loads((tmp_path / "study" / "ranking.json").read_text())
    assert {row["source"] for row in ranking["candidates"]} == {"exploring_darts", "random"}
    search = tmp_path / "study" / "candidates" / "exploring_darts_seed0" / "search"
    settings = json.loads((search / "config.json").read_text())["settings"]
    assert (settings["method"], settings["first_share"]) == ("exploring_darts", 0.3)
    ran(tmp_path, "--mode=report", f"--run_dir={search},study", "--report_dir=report")
    assert "exploring_darts" in (tmp_path / "report" / "report.md").read_text()


def test_its_settings_are_flags_and_a_wrong_one_is_a_sentence(tmp_path):
    asked = ["--mode=search", "--dataset=ptb", "--method=exploring_darts"]
    done = run(tmp_path, *asked, "--first_share=1")
    assert done.returncode == 2
    assert "--first_share=1.0: out of range" in done.stderr.splitlines()[-1]
