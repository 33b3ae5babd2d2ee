"""Tests of what a mode does before its work begins."""

import shlex

import pytest

from tf_darts.cli import modes as commands
from tf_darts.config.presets import PRESETS
from tf_darts.runs.training import TrainingRun


class Began(Exception):
    """The work would begin."""


@pytest.mark.parametrize(("dataset", "wanted"), [("cifar10", 1), ("ptb", 0)])
@pytest.mark.parametrize("mode", ["search", "train"])
def test_operations_are_side_by_side_on_images(monkeypatch, mode, dataset, wanted):
    calls = []

    def begin(*arguments):
        raise Began

    monkeypatch.setattr(commands, "use_inter_op_threads", lambda: calls.append(True))
    for name in ("find_cell", "run_search"):
        monkeypatch.setattr(commands, name, begin)
    with pytest.raises(Began):
        commands.MODES[mode](PRESETS[mode, dataset])
    assert len(calls) == wanted


def test_printed_commands_are_quoted(monkeypatch, capsys, tmp_path):
    path = tmp_path / "exp[lr=0.025] a*b"
    run = TrainingRun(path, {"epoch": 1}, 1.0, "perplexity", {}, None, False)
    monkeypatch.setattr(commands, "run_training", lambda *arguments: run)
    monkeypatch.setattr(commands, "find_cell", lambda config: None)
    commands.train(PRESETS["train", "pydoc"])
    lines = capsys.readouterr().out.splitlines()
    words = [shlex.split(line) for line in lines]
    assert words[1][-1] == f"--logdir={path / 'tensorboard'}"
    assert words[2][-1] == f"--run_dir={path}"
