"""The example's space by the ordinary commands, from its search to its export."""

import json
import subprocess
import sys
from unittest import mock

import pytest

from tests.support import in_process
from tests.support.paths import ROOT
from tf_darts.formats import saved_model

OWN = ROOT / "examples" / "own_space.py"
SMALL = ["--dataset=digits", "--batch_size=64", "--steps_per_epoch=2", "--epochs=1"]
TINY = ["--width=2", "--depth=1"]


def test_a_space_takes_a_hundred_and_fifty_lines_at_most():
    assert len(OWN.read_text(encoding="utf-8").splitlines()) < 150


def run(cwd, *arguments, program=("-m", "tf_darts.main")):
    return subprocess.run(
        [sys.executable, *program, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(cwd)},
    )


def ran(cwd, *arguments, program=in_process.MAIN, eagerly=True):
    """What a program says; functions are not compiled where that is not the matter."""
    status, out, err = in_process.run(
        program, f"--load={OWN}", *arguments, cwd=cwd, eagerly=eagerly
    )
    assert status == 0, err
    return out


@pytest.mark.slow
def test_the_ordinary_commands(uncounted, undrawn, tmp_path):
    search = ["--mode=search", "--space=bench", "--method=darts_first", *SMALL, *TINY]
    said = ran(tmp_path, *search, "--run_dir=found")
    assert "--mode=train --dataset=digits makes a network of" in said
    config = json.loads((tmp_path / "found" / "config.json").read_text())
    assert (config["kind"], config["space"], config["settings"]["space"]) == (
        *("search", "bench", "bench"),
    )
    found = json.loads((tmp_path / "found" / "genotype.json").read_text())
    assert found["space"] == "bench" and len(found["cell"]["cell"]) == 6
    assert (tmp_path / "found" / "plots" / "cell.png").exists()
    assert (tmp_path / "found" / "plots" / "cell.gif").exists()
    changed = tmp_path / "changed_space.py"
    changed.write_text(OWN.read_text(encoding="utf-8").replace("nodes=3", "nodes=2"))
    again = [f"--load={changed}", *search, "--run_dir=found"]
    status, _, err = in_process.run(in_process.MAIN, *again, cwd=tmp_path)
    assert status == 2 and "another configuration (cells was" in err
    # The cell's space decides; --space is not given again.
    train = ["--mode=train", "--genotype=found/genotype.json", *SMALL, *TINY]
    ran(tmp_path, *train, "--run_dir=trained")
    counts = json.loads((tmp_path / "trained" / "counts.json").read_text())
    assert counts["weights"] > 0
    assert "Test of trained: loss" in ran(tmp_path, "--mode=test", "--run_dir=trained")
    # A member's export is checked in a fresh process in test_own_activation.py.
    with mock.patch.object(saved_model, "_check"):
        ran(tmp_path, "--mode=export", "--run_dir=trained", "--export_dir=exported", eagerly=False)
    assert (tmp_path / "exported" / "1" / "saved_model.pb").exists()
    plot = ["found/genotype.json", "--space=bench", "--output=cell.svg"]
    ran(tmp_path, *plot, program="tools/plot_cell.py")
    assert (tmp_path / "cell.svg").exists()
    ran(tmp_path, "--mode=report", "--run_dir=found,trained", "--report_dir=report")
    report = (tmp_path / "report" / "report.md").read_text()
    assert "### Cells trained from scratch" in report and "### Searches" in report


@pytest.mark.long  # the search and training above are what a study has
def test_studies_and_other_operations(uncounted, undrawn, tmp_path):
    texts = "steps_per_epoch=2,epochs=1,width=2,depth=1,batch_size=64"
    select = ["--mode=select", "--dataset=digits", "--space=bench", "--count=2"]
    ran(tmp_path, *select, "--candidates=random", f"--train_settings={texts}", "--run_dir=studied")
    ranking = json.loads((tmp_path / "studied" / "ranking.json").read_text())
    assert {row["space"] for row in ranking["candidates"]} == {"bench"}
    search = ["--mode=search", "--space=bench", "--method=darts_first", *SMALL, *TINY]
    ran(tmp_path, *search, "--operations=skip_connect,sep_conv_3x3", "--run_dir=narrow")
    record = json.loads((tmp_path / "narrow" / "history.jsonl").read_text())
    assert [len(row) for row in record["mixing"]["cell"]] == [2] * 6


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--space=bensh"], "--space: unknown space 'bensh' (did you mean bench?)"),
        (["--space=recurrent"], "--space=recurrent: is for texts, and --dataset=digits is of"),
        (
            ["--space=bench", "--operations=conv"],
            "'conv' is no operation of the space bench (did you mean",
        ),
        (["--space=bench", "--operations=none"], "none of these has weights"),
        (["--width=4"], "--width has no meaning for --mode=search --dataset=digits; it is for"),
    ],
)
def test_wrong_input_is_one_sentence(tmp_path, arguments, sentence):
    search = f"--load={OWN}", "--mode=search", "--dataset=digits"
    status, _, err = in_process.run(in_process.MAIN, *search, *arguments, cwd=tmp_path)
    assert status == 2 and sentence in in_process.sentence(err, "tf_darts")
    assert not list(tmp_path.glob("runs*"))


def test_files_of_a_space_that_is_not_loaded(tmp_path):
    document = {"schema_version": 1, "space": "bench", "cell": {"cell": []}, "provenance": {}}
    (tmp_path / "genotype.json").write_text(json.dumps(document))
    train = ["--mode=train", "--dataset=digits", "--genotype=genotype.json"]
    done = run(tmp_path, *train)
    assert done.returncode == 2 and "unknown space 'bench'" in done.stderr
    assert "--load=FILE.py brings in" in done.stderr
