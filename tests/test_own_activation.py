"""The example's activation, as its reader uses it: a search, a training, and an export."""

import json
import runpy

import pytest

from tests.support import in_process
from tests.support.paths import ROOT
from tests.support.registries import forget_members
from tf_darts.testing import check_activation

OWN = ROOT / "examples" / "own_activation.py"
SIZES = ("--units=8", "--batch_size=8", "--bptt=6", "--epochs=1", "--steps_per_epoch=1")
# Where nothing is compiled, the clear forms are the fast ones.
TINY = ("--dataset=text", "--data_dir=texts", "--accelerate=off", *SIZES)
CELL = {"recurrent": [["swish", 0], *[["tanh", 1]] * 7], "concat": [*range(1, 9)]}


def command(tmp_path, *arguments, load=True):
    loaded = [f"--load={OWN}"] if load else []
    return in_process.run(in_process.MAIN, *loaded, *arguments, cwd=tmp_path, eagerly=True)


@pytest.mark.slow
def test_the_ordinary_commands(uncounted, undrawn, tmp_path):
    (tmp_path / "texts").mkdir()
    for part, lines in (("train", 80), ("valid", 12), ("test", 12)):
        (tmp_path / "texts" / f"{part}.txt").write_text("the cat sat on the mat\n" * lines)
    search = ("--mode=search", *TINY, "--bptt=4", "--hypergradient=first_order")
    status, _, err = command(tmp_path, *search, "--run_dir=found")
    assert status == 0, err
    status, _, err = command(tmp_path, *search, "--run_dir=found", load=False)
    assert status == 2 and "added_operations was ['swish'] and is not set now" in err
    cell = tmp_path / "cell.json"
    cell.write_text(json.dumps(CELL))
    train = ("--mode=train", *TINY, f"--genotype={cell}", "--run_dir=trained")
    status, _, err = command(tmp_path, *train, load=False)
    assert status == 2 and "'swish'; use one of tanh" in err and "--load=FILE.py" in err
    status, _, err = command(tmp_path, *train)
    assert status == 0, err
    status, _, err = command(tmp_path, "--mode=export", "--run_dir=trained", "--export_dir=model")
    assert status == 0, err
    assert list((tmp_path / "model").rglob("saved_model.pb"))


def test_it_passes_the_check(monkeypatch):
    forget_members(monkeypatch)
    check_activation(runpy.run_path(str(OWN))["swish"])
