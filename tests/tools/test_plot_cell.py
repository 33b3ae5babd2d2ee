import json
import subprocess
import sys
import types

import pytest
from PIL import Image

from tests.support import in_process
from tests.support.paths import ROOT
from tf_darts.cells import genotype_files
from tf_darts.cells.published import PUBLISHED
from tf_darts.cells.space import find_space

TOOL = ROOT / "tools" / "plot_cell.py"


def _plot(folder, *arguments):
    status, out, err = in_process.run("tools/plot_cell.py", *arguments, cwd=folder)
    return types.SimpleNamespace(returncode=status, stdout=out, stderr=err)


def _plot_alone(folder, *arguments):
    """In a process of its own."""
    return subprocess.run(
        [sys.executable, str(TOOL), *arguments], cwd=folder, capture_output=True, text=True
    )


def test_published_name_of_one_space_with_defaults(tmp_path):
    done = _plot(tmp_path, "nasnet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "nasnet.png\n", "")
    assert (tmp_path / "nasnet.png").read_bytes().startswith(b"\x89PNG")


def test_space_and_output(tmp_path):
    done = _plot(tmp_path, "darts_v2", "--space=recurrent", "--output=cell.svg", "--title=V2")
    assert (done.returncode, done.stdout) == (0, "cell.svg\n")
    assert (tmp_path / "cell.svg").read_text().startswith("<?xml")


def test_genotype_file(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    genotype_files.save(run / "genotype.json", PUBLISHED["recurrent"]["enas"])
    done = _plot(tmp_path, "run/genotype.json")
    assert (done.returncode, done.stdout) == (0, "genotype.png\n")
    assert (tmp_path / "genotype.png").is_file()


def test_a_cell_of_another_program(tmp_path):
    text = "Genotype(recurrent=[('tanh', 0), ('relu', 1)], concat=range(1, 3))"
    done = _plot(tmp_path, text)
    assert (done.returncode, done.stdout[:5], done.stderr) == (0, "cell_", "")
    assert (tmp_path / done.stdout.strip()).is_file()


def test_animation_of_a_history(tmp_path):
    cell = PUBLISHED["recurrent"]["darts_v1"]
    genotype_files.save(tmp_path / "genotype.json", cell)
    record = {"epoch": 1, "validation_perplexity": 140.0, "genotype": cell.to_dict()}
    (tmp_path / "history.jsonl").write_text(json.dumps(record) + "\n")
    done = _plot(tmp_path, "history.jsonl")
    assert (done.returncode, done.stdout, done.stderr) == (0, "history.gif\n", "")
    assert (tmp_path / "history.gif").read_bytes().startswith(b"GIF89a")


@pytest.mark.parametrize("cells", [None, {"nodes": 8, "operations": [["tanh"], *[["relu"]] * 35]}])
def test_mixing_weights_beside_the_cell(tmp_path, cells):
    """A recorded topology counts; without one, that of the space."""
    cell = PUBLISHED["recurrent"]["darts_v1"]
    genotype_files.save(tmp_path / "genotype.json", cell)
    own = {"inputs": 1, "keep": 1, "none_competes": False, "output": "mean"}
    settings = {"cells": {"cell": own | cells}} if cells else {}
    (tmp_path / "config.json").write_text(json.dumps({"settings": settings}))
    mixing = [[1.0]] * 36 if cells else [[0.2] * 5] * 36
    record = {"epoch": 1, "validation_perplexity": 140.0, "genotype": cell.to_dict()}
    record["mixing"] = {"cell": mixing}
    (tmp_path / "history.jsonl").write_text(json.dumps(record) + "\n")
    alone = _plot(tmp_path, "history.jsonl", "--output=alone.gif")
    beside = _plot(tmp_path, "history.jsonl", "--mixing", "--output=beside.gif")
    assert (alone.returncode, beside.returncode, beside.stderr) == (0, 0, "")
    sizes = []
    for name in ("alone.gif", "beside.gif"):
        with Image.open(tmp_path / name) as picture:
            sizes.append(picture.size)
    assert sizes[1][0] > sizes[0][0] + 100 and sizes[1][1] > 300


@pytest.mark.parametrize("staged", [False, True])
def test_mixing_weights_of_fewer_operations(tmp_path, staged):
    """Those of a search with --operations, and of the last stage of one that has stages."""
    cell = PUBLISHED["recurrent"]["darts_v1"]
    genotype_files.save(tmp_path / "genotype.json", cell)
    settings = {} if staged else {"operations": "tanh,relu"}
    (tmp_path / "config.json").write_text(json.dumps({"settings": settings}))
    if staged:
        last = find_space("recurrent").narrowed("tanh,relu")["cell"].get_config()
        stages = [{"cells": {}}, {"cells": {"cell": last}}]
        (tmp_path / "stages.json").write_text(json.dumps({"stages": stages}))
    record = {"epoch": 1, "validation_perplexity": 140.0, "genotype": cell.to_dict()}
    record["mixing"] = {"cell": [[0.5, 0.5]] * 36}
    (tmp_path / "history.jsonl").write_text(json.dumps(record) + "\n")
    done = _plot(tmp_path, "history.jsonl", "--mixing")
    assert (done.returncode, done.stdout, done.stderr) == (0, "history.gif\n", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nasnet", "--mixing"], "--mixing is for the history.jsonl of a search; leave it out"),
        (["darts_v1"], "--space=convolutional|recurrent"),
        (["nobody"], "convolutional: darts_v1, darts_v2, nasnet, amoebanet; recurrent: darts_v1"),
        (["nasnet", "--space=recurrent"], "no published recurrent cell"),
        (["nasnet", "--output=cell.gif"], ".png, .svg, .pdf"),
        (["nasnet", "--output=/dev/null/cell.png"], "/dev/null: cannot be written"),
        (["broken.json"], "broken.json: not a genotype file"),
        (["enas.json", "--space=convolutional"], "this cell is recurrent"),
        ([], "give one cell"),
        (["nasnet", "--outpt=a.png"], "plot_cell: --outpt is no flag; did you mean --output?"),
        (
            ["nasnet", "--space=any"],
            "plot_cell: --space=any: value should be one of <convol",
        ),
        (["Genotype(recurrent=[)"], "neither JSON nor a line of Python"),
        (["broken/history.jsonl"], "history.jsonl: not the history of a search"),
        (["broken/history.jsonl", "--output=a.png"], "a.png: animations are written as .gif"),
        (["broken/history.jsonl", "--title=T"], "--space and --title are for one cell"),
        (["nowhere/history.jsonl"], "genotype.json: cannot be read (No such file"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, arguments, sentence):
    (tmp_path / "broken.json").write_text("{")
    genotype_files.save(tmp_path / "enas.json", PUBLISHED["recurrent"]["enas"])
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "history.jsonl").touch()
    genotype_files.save(tmp_path / "broken" / "genotype.json", PUBLISHED["recurrent"]["enas"])
    before = set(tmp_path.iterdir())
    done = _plot(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert set(tmp_path.iterdir()) == before


def test_a_mistake_in_a_process_of_its_own(tmp_path):
    done = _plot_alone(tmp_path, "nasnet", "--space=recurrent")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("plot_cell: ") and done.stderr.count("\n") == 1


def test_help_names_arguments_and_flags(tmp_path):
    text = _plot_alone(tmp_path, "--help").stdout
    for part in ("darts_v2 --space=recurrent", "RUN/genotype.json", "--output", "--space"):
        assert part in text
