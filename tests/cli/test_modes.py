"""Tests of what a mode does before its work begins."""

import dataclasses
import shlex

import pytest

from tf_darts.cells import references
from tf_darts.cells.published import published_cells
from tf_darts.cli import modes as commands
from tf_darts.config.presets import PRESETS, unchecked
from tf_darts.runs import search, training
from tf_darts.runs.search import SearchRun
from tf_darts.runs.training import TrainingRun
from tf_darts.study import run_study


class Began(Exception):
    """The work would begin."""


@pytest.mark.parametrize(("dataset", "wanted"), [("cifar10", 2), ("ptb", 0)])
@pytest.mark.parametrize("mode", ["search", "train"])
def test_the_process_is_set_for_images(monkeypatch, mode, dataset, wanted):
    calls = []

    def begin(*arguments):
        raise Began

    for name in ("use_inter_op_threads", "leave_out_graph_optimisers"):
        monkeypatch.setattr(commands, name, lambda **_: calls.append(True))
    monkeypatch.setattr(commands, "find_cell", begin)
    monkeypatch.setattr(search, "run_search", begin)
    with pytest.raises(Began):
        commands.MODES[mode](PRESETS[mode, dataset])
    assert len(calls) == wanted


def test_printed_commands_are_of_this_python(monkeypatch, tmp_path):
    """By name where the shell finds this environment's, by its path where it finds another's."""
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
        for program in ("python", "tensorboard"):
            (tmp_path / name / program).touch(mode=0o755)
    own = tmp_path / "mine" / "python"
    monkeypatch.setattr(commands.sys, "executable", str(own))
    for path, wanted in (("mine", "python"), ("other", str(own)), ("", str(own))):
        monkeypatch.setenv("PATH", str(tmp_path / path) if path else "")
        assert commands._command("test", run_dir="a b").startswith(f"{wanted} -m tf_darts.main ")
        assert commands._tensorboard(tmp_path).startswith(wanted.replace("python", "tensorboard"))
    monkeypatch.chdir(tmp_path)
    assert commands._export("r").startswith("mine/python -m tf_darts.main --mode=export")


def test_printed_commands_are_quoted(monkeypatch, capsys, tmp_path):
    path = tmp_path / "exp[lr=0.025] a*b"
    run = TrainingRun(path, {"epoch": 1}, 1.0, "perplexity", {}, None, False)
    monkeypatch.setattr(training, "run_training", lambda *arguments: run)
    monkeypatch.setattr(commands, "find_cell", lambda config: None)
    commands.train(PRESETS["train", "pydoc"])
    lines = capsys.readouterr().out.splitlines()
    words = [shlex.split(line) for line in lines]
    assert lines[1] == f"To look at in a browser: {path / 'report.html'}"
    assert words[2][-2:] == [f"--logdir={path}", "--samples_per_plugin=images=100"]
    assert words[3][-1] == f"--run_dir={path}"


@pytest.mark.parametrize("dataset", ["folder", "text"])
@pytest.mark.parametrize("tested", [False, True])
def test_a_training_without_a_test_part_has_no_test(monkeypatch, capsys, tmp_path, dataset, tested):
    for part in ("train", "test")[: 1 + tested]:
        for name in ("ant", "bee"):
            (tmp_path / part / name).mkdir(parents=True)
        (tmp_path / f"{part}.txt").touch()
    run = TrainingRun(tmp_path / "run", {"epoch": 1}, 1.0, "accuracy", {}, None, False)
    monkeypatch.setattr(commands, "use_inter_op_threads", lambda: None)
    monkeypatch.setattr(commands, "leave_out_graph_optimisers", lambda: None)
    monkeypatch.setattr(training, "run_training", lambda *arguments: run)
    monkeypatch.setattr(commands, "find_cell", lambda config: None)
    config = dataclasses.replace(PRESETS["train", dataset], data_dir=str(tmp_path))
    commands.train(config)
    printed = capsys.readouterr().out
    assert ("Test it, once: " in printed) == tested
    assert printed.count(f"{tmp_path} has no test part") == (0 if tested else 2)  # before, too
    assert ("--mode=export" in printed) == (not tested)  # which comes next


@pytest.mark.parametrize(("gap", "said"), [(12.5, "worse"), (-0.125, "better"), (None, "")])
def test_a_search_ends_with_its_cell_drawn_and_the_next_command(
    monkeypatch, capsys, tmp_path, gap, said
):
    path, mine = tmp_path / "it's $HOME", tmp_path / "my method.py"
    cell = published_cells("convolutional")["darts_v2"]
    record = {"epoch": 1, "seconds": 60.0, "validation_accuracy": 50.0}
    record["monitors"] = {"discretisation/gap": gap} if gap is not None else {}
    run = SearchRun(
        *(path, [record], record, "", cell, None, "accuracy", ("guess", 10.0), {"weights": 7}),
        training={"validation_examples": 9},
    )
    monkeypatch.setattr(commands, "use_inter_op_threads", lambda: None)
    monkeypatch.setattr(commands, "leave_out_graph_optimisers", lambda **_: None)
    monkeypatch.setattr(search, "run_search", lambda *arguments: run)
    monkeypatch.setattr(commands, "loaded", lambda: [f"--load={mine}"])
    read = {"data_dir": str(tmp_path / "a b"), "image_size": 16, "flip": True, "crop_padding": 1}
    config = dataclasses.replace(PRESETS["search", "digits"], **read)
    commands.search(config)
    lines = capsys.readouterr().out.splitlines()
    assert "  node 0 ◀─ sep_conv_3x3 ─ c_k-2   ◀─ sep_conv_3x3 ─ c_k-1" in lines
    of_gap = [line for line in lines if line.startswith("In training mode the cell alone, with ")]
    assert [line.split()[11] for line in of_gap] == [said] * bool(said)
    assert not any("Nothing passes" in line for line in lines)
    (line,) = [line for line in lines if line.startswith("Train a network of it: ")]
    words = shlex.split(line.removeprefix("Train a network of it: "))
    assert words[1:] == [
        *("-m", "tf_darts.main", f"--load={mine}", "--mode=train", "--dataset=digits"),
        f"--data_dir={tmp_path / 'a b'}",
        *("--image_size=16", "--flip=true"),  # as the search was told; the rest is usual
        "--validation_examples=9",  # the data have no more
        f"--genotype={path / 'genotype.json'}",
    ]


def test_a_search_says_that_nothing_passes_through_its_cell(monkeypatch, capsys, tmp_path):
    record = {"epoch": 1, "seconds": 60.0, "validation_accuracy": 10.0}
    cell = references.read("|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|")
    run = SearchRun(
        *(tmp_path, [record], record, "", cell, None, "accuracy", ("guess", 10.0), {"weights": 7}),
        training={},
    )
    monkeypatch.setattr(commands, "use_inter_op_threads", lambda: None)
    monkeypatch.setattr(commands, "leave_out_graph_optimisers", lambda **_: None)
    monkeypatch.setattr(search, "run_search", lambda *arguments: run)
    commands.search(PRESETS["search", "digits"])
    (line,) = [x for x in capsys.readouterr().out.splitlines() if "Nothing passes" in x]
    assert line.endswith(f" --genotype={tmp_path / 'history.jsonl'}:N is the cell of epoch N.")


@pytest.mark.parametrize(
    ("division", "folders", "wanted"),
    [
        ("by_class", ("train",), {}),
        ("shuffled", ("train",), {"division": "shuffled"}),
        ("given", ("train", "val"), {}),  # as a training finds it
        ("by_class", ("train", "val"), {"division": "by_class"}),
    ],
)
def test_a_training_divides_the_images_as_the_search_did(tmp_path, division, folders, wanted):
    for folder in folders:
        for name in ("ant", "bee"):
            (tmp_path / folder / name).mkdir(parents=True)
            (tmp_path / folder / name / "1.png").touch()
    config = dataclasses.replace(
        PRESETS["search", "folder"], data_dir=str(tmp_path), division=division
    )
    assert commands._reading(config) == {"data_dir": str(tmp_path)} | wanted


@pytest.mark.parametrize("mode", ["select", "black_box", "tune"])
@pytest.mark.parametrize("table", ["", "table.csv"])
def test_every_study_ends_with_its_files(monkeypatch, capsys, tmp_path, mode, table):
    """Only what looks cells up has a table, and then nothing was trained there."""
    preset = unchecked({"mode": mode, "dataset": "digits"})
    if not hasattr(preset, "table"):
        table = ""
    config = dataclasses.replace(
        preset, run_dir=str(tmp_path), **({"table": table} if table else {})
    )
    ranking = {"score": "accuracy", "score_mode": "max", "dataset": "digits", "candidates": []}
    monkeypatch.setattr(run_study, "run_study", lambda *arguments, **named: ranking)
    commands.study(config)
    printed = capsys.readouterr().out
    assert f"Best cell: {tmp_path / 'genotype.json'}" in printed
    assert ("TensorBoard: " in printed) == (not table)
