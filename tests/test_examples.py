"""Each example as somebody would run it, at toy size.

Functions are not compiled (tests/support/eagerly.py): tracing a supernet takes longer than the toy
steps.
"""

import os
import runpy
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

SHORT = ["--epochs=1", "--steps_per_epoch=2"]
# What an example is given, and what it says in the end.
EXAMPLES = {
    "cell_in_keras_model.py": (["--epochs=1"], "% are recognised."),
    "own_images.py": ([*SHORT, "--run_dir=runs"], "Tested: {'loss': "),
    "own_operation.py": (["--steps_per_epoch=1"], "Weight of conv_3x3 on each edge: [0.1"),
    "own_text.py": ([*SHORT, "--run_dir=runs", "--data_dir=texts"], "Tested: {'loss': "),
}


OWN_TESTS = "own_activation.py", "own_hypergradient.py", "own_method.py", "own_space.py"


def test_all_examples_are_here():
    files = {file.name for file in ROOT.joinpath("examples").glob("*.py")}
    assert files == {*EXAMPLES, *OWN_TESTS}


def test_an_operation_takes_forty_lines_at_most():
    text = ROOT.joinpath("examples", "own_operation.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 40


def test_the_text_that_is_written(tmp_path):
    runpy.run_path(str(ROOT / "examples" / "own_text.py"))["write_topics"](tmp_path)
    sizes = {
        file.stem: len(file.read_text(encoding="utf-8").split()) for file in tmp_path.iterdir()
    }
    assert sizes.keys() == {"train", "valid", "test"}
    assert sizes["train"] > 5 * sizes["valid"] > 5_000 < 5 * sizes["test"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "cell_in_keras_model.py",
        *(
            pytest.param(name, marks=pytest.mark.long)
            for name in ("own_images.py", "own_operation.py", "own_text.py")
        ),
    ],
)
def test_it_runs(name, tmp_path):
    arguments, end = EXAMPLES[name]
    if name == "own_text.py":  # that of its own is long to evaluate
        (tmp_path / "texts").mkdir()
        for part in ("train", "valid", "test"):
            (tmp_path / "texts" / f"{part}.txt").write_text("the cat sat on the mat\n" * 80)
    program = str(ROOT / "examples" / name)
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/support/eagerly.py"), program, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert end in done.stdout.splitlines()[-1]
