"""A lowered step gives what TensorFlow's step gives; `python -m pytest experiments` runs this."""

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

HERE = pathlib.Path(__file__).parent
SIZES = ["--task=rnn_train", "--batch_size=3", "--units=8", "--words=20", "--bptt=4"]


@pytest.fixture(scope="module")
def runner():
    spec = importlib.util.spec_from_file_location("runner", HERE / "run_lowered_step.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    made = tmp_path_factory.mktemp("lowered") / "step"
    subprocess.run(
        [sys.executable, HERE / "lower_step.py", *SIZES, "--nodropout", f"--output={made}"],
        check=True,
        capture_output=True,
    )
    return made


def test_what_lies_beside_the_program(runner, directory):
    program, description, arguments = runner.loaded(directory)
    assert b"stablehlo.dot" in program
    for other in (b" loc(", b"#loc", b"mhlo.copy", b"precision = [DEFAULT"):
        assert other not in program  # the last: products in full float32
    assert description["names"] == ["finite", "gradient_norm", "train/loss"]
    first, second = description["expected"]
    assert first[0] == second[0] == 1.0
    assert second[2] < first[2], "the loss falls on the same batch"
    # The program says itself which arguments' memory its results may have.
    pairs = re.findall(
        rb"parameter_number = (\d+) : i64\}, output_index = array<i64: (\d+)>", program
    )
    assert [(int(to), int(place)) for place, to in pairs] == list(
        enumerate(description["moved"], start=len(description["names"]))
    )
    moved = [arguments[place] for place in description["moved"]]
    assert [value.dtype for value in moved].count(np.int64) == 1, "steps, not rollbacks"
    # The state, the embedding, its bias, the kernel of x and h, and eight of the nodes.
    assert len(moved) == 1 + 1 + 2 + 1 + 8


def test_large_arguments_are_drawn(runner, directory):
    description = json.loads((directory / "step.json").read_text())
    assert not any(description["draws"]), "none of so small a network"
    values = runner.drawn(seed=1, shape=[400, 300], mean=2.0, deviation=0.5)
    assert values.dtype == np.float32
    np.testing.assert_allclose([values.mean(), values.std()], [2.0, 0.5], rtol=1e-2)


def test_run_by_jax(directory):
    python = os.environ.get("PYTHON_WITH_JAX", sys.executable)
    if subprocess.run([python, "-c", "import jax"], capture_output=True, check=False).returncode:
        pytest.skip(f"{python} has no jax, which runs lowered steps; name one in PYTHON_WITH_JAX")
    done = subprocess.run(
        [python, HERE / "run_lowered_step.py", directory, "--steps=2"],
        check=True,
        capture_output=True,
        text=True,
    )
    row = json.loads(done.stdout)
    assert row["median_s"] > 0
    for step in row["relative_differences"]:
        assert max(step.values()) < 1e-3, "at a learning rate of 20"


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([f"--output={HERE}"], "is there already; name a new directory"),
        (["--clear", "--output=new"], "--clear: --task=cnn_train alone has two forms"),
    ],
)
def test_refused_before_any_work(flags, sentence, tmp_path):
    done = subprocess.run(
        [sys.executable, HERE / "lower_step.py", *flags],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert sentence in done.stderr + done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "has no step.json; make it with experiments/lower_step.py"),
        (["--steps=0"], "--steps=0: time one step at least"),
    ],
)
def test_not_run(runner, flags, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["run_lowered_step.py", str(tmp_path), *flags])
    with pytest.raises(SystemExit, match="2"):
        runner.main()
    assert sentence in capsys.readouterr().err
