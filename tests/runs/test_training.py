"""A training from its settings."""

from tf_darts.cells import references
from tf_darts.config.presets import configure
from tf_darts.runs.training import run_training
from tf_darts.runtime.signals import StopRequest

SETTINGS = {
    "mode": "train",
    "dataset": "digits",
    "space": "nasbench201",
    "channels": 2,
    "cells_per_stage": 1,
    "batch_size": 8,
    "train_examples": 32,
    "epochs": 1,
    "steps_per_epoch": 1,
}


def test_a_cell_that_nothing_passes_through_is_warned_of(tmp_path, capsys):
    text = "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|"
    config = configure(SETTINGS | {"run_dir": str(tmp_path / "run"), "genotype": text})
    run_training(config, references.read(text), StopRequest(), "[mine] ")
    warning = "[mine] Nothing passes through the cell: `none` lies on every way"
    assert warning in capsys.readouterr().err
