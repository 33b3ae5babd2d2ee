"""What a type checker makes of a program that uses the package: mypy."""

import os
import re
import subprocess
import sys

import pytest

import tf_darts
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

PROGRAM = """
import pathlib
from collections.abc import Sequence
from typing import Any

import tf_darts


class Watch(tf_darts.Callback):
    def on_epoch(self, record: dict[str, Any], history: Sequence[dict[str, Any]]) -> None:
        print(record["epoch"], len(history))

    def on_cell(self, epoch: int, cell: tf_darts.Genotype) -> None:
        print(epoch, cell)


def main() -> float:
    found = tf_darts.search(dataset="digits", run_dir=pathlib.Path("found"), callbacks=[Watch()])
    cell: tf_darts.Genotype = found.cell
    trained = tf_darts.train(cell, dataset="digits", run_dir="trained", epochs=2)
    scores: dict[str, float] = tf_darts.test("trained")
    best = tf_darts.select(dataset="digits", run_dir="best", candidates=["random"], count=1)
    if best is not None:
        tf_darts.save_genotype("cell.json", best.cell)
    folder: pathlib.Path = tf_darts.export("trained", "models", format="onnx").path
    print(scores, folder, tf_darts.load_genotype("cell.json").space)
    return trained.seconds
"""
WRONG = {
    "an object that is no callback": "tf_darts.search(dataset='digits', callbacks=[1])",
    "a cell in place of a run directory": "tf_darts.test(tf_darts.load_genotype('cell.json'))",
    "a name that is not there": "tf_darts.serach()",
    "a result without a check": "print(tf_darts.select(dataset='digits').cell)",
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """What mypy knows of the package already."""
    return tmp_path_factory.mktemp("mypy_cache")


@pytest.fixture
def mypy(tmp_path, cache):
    """Checks a program strictly; returns what mypy says, a line each."""

    def check(program):
        file = tmp_path / "program.py"
        file.write_text(program, encoding="utf-8")
        # As installed packages are: their own errors are not the program's.
        flags = ["--strict", "--follow-imports=silent", "--no-error-summary"]
        command = [sys.executable, "-m", "mypy", *flags, f"--cache-dir={cache}", file.name]
        environment = os.environ | {"MYPYPATH": str(ROOT)}
        said = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
        )
        assert said.returncode in (0, 1), said.stdout + said.stderr
        return said.stdout.splitlines()

    return check


def test_a_program_type_checks(mypy):
    assert mypy(PROGRAM) == []


def test_mistakes_are_found(mypy):
    lines = mypy("import tf_darts\n" + "\n".join(WRONG.values()) + "\n")
    found = {
        int(match[1]) for line in lines if (match := re.match(r"program.py:(\d+): error", line))
    }
    assert found == {number for number, _ in enumerate(WRONG, start=2)}, lines


def test_every_public_name_has_a_type(mypy):
    names = [name for name in tf_darts.__all__ if name != "__version__"]
    lines = mypy("import tf_darts\n" + "".join(f"reveal_type(tf_darts.{n})\n" for n in names))
    shown = [line.partition("Revealed type is ")[2].strip('"') for line in lines]
    unknown = [name for name, kind in zip(names, shown, strict=True) if kind in ("", "Any")]
    assert not unknown, lines
