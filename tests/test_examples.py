"""Each example as somebody would run it, at toy size."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHORT = ["--epochs=1", "--steps_per_epoch=2"]
# What an example is given, and what it says in the end.
EXAMPLES = {
    "cell_in_keras_model.py": (["--epochs=1"], "% are recognised."),
    "own_images.py": ([*SHORT, "--run_dir=runs"], "Tested: {'loss': "),
    "own_operation.py": (["--steps_per_epoch=1"], "Weight of conv_3x3 on each edge: [0.1"),
    "own_text.py": ([*SHORT, "--run_dir=runs"], "Tested: {'loss': "),
}


def test_all_examples_are_here():
    assert sorted(file.name for file in ROOT.joinpath("examples").glob("*.py")) == [*EXAMPLES]


def test_an_operation_takes_less_than_forty_lines():
    text = ROOT.joinpath("examples", "own_operation.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 40


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_it_runs(name, tmp_path):
    arguments, end = EXAMPLES[name]
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert end in done.stdout.splitlines()[-1]
