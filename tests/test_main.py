"""The real command: what it leaves, killing, stopping, wrong input.

It is run in processes of its own where it is killed, stopped or what it leaves is looked at, and in
this one where the test is about a sentence (tests/support/in_process.py).
"""

import functools
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from tests.support import in_process
from tf_darts.cells import genotype, genotype_files
from tf_darts.runtime.devices import device_line

pytestmark = pytest.mark.slow

SMALL = [
    "--mode=search",
    "--dataset=pydoc",
    "--units=8",
    "--batch_size=4",
    "--bptt=6",
    "--epochs=2",
    "--steps_per_epoch=6",
    "--evaluation_batch_size=200",
    "--checkpoint_steps=2",
    "--deterministic",
]

SMALL_IMAGES = [
    "--mode=search",
    "--dataset=digits",
    "--channels=2",
    "--layers=3",
    "--batch_size=8",
    "--train_examples=160",
    "--flip",
    "--epochs=2",
    "--steps_per_epoch=6",
    "--checkpoint_steps=2",
    "--deterministic",
]
SPACES = {"text": SMALL, "images": SMALL_IMAGES}


def checkpoint(run_dir):
    """All values of the latest checkpoint but the clock's."""
    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints" / "latest"))
    names = reader.get_variable_to_shape_map()
    skipped = ("seconds", "history", "save_counter", "_CHECKPOINTABLE")
    return {n: reader.get_tensor(n) for n in names if not n.startswith(skipped)}


def saved_steps(folder):
    """The latest step of which there is a checkpoint; -1 for none."""
    return max((int(file.stem.split("-")[1]) for file in folder.glob("ckpt-*.index")), default=-1)


def records(run_dir):
    """The history without the clock's readings."""
    lines = (run_dir / "history.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


@pytest.fixture(scope="module")
def kept_programs(tmp_path_factory):
    """An environment in which a process finds what XLA compiled in another (docs/performance.md).

    Half of what a process of a text's search takes is XLA's; numbers are the same.
    """
    folder = tmp_path_factory.mktemp("programs")
    flag = f"--tf_xla_persistent_cache_directory={folder}"
    # What TensorFlow says of each program that it reads would fill a pipe that nobody empties.
    return {"TF_XLA_FLAGS": flag, "TF_CPP_MIN_LOG_LEVEL": "3"}


@pytest.fixture(scope="module")
def whole_run(command, kept_programs, tmp_path_factory):
    """A function from a space to a run that nothing interrupts: its directory and output."""

    @functools.cache
    def run_once(space):
        directory = tmp_path_factory.mktemp(space)
        status, out, err = command.run(*SPACES[space], f"--run_dir={directory}", **kept_programs)
        assert status == 0, err
        return directory, out

    return run_once


@pytest.fixture
def whole(whole_run):
    return whole_run("text")


def test_a_search_leaves_everything(whole):
    directory, out = whole
    assert out.count("validation perplexity") == 3  # two epochs and the last word
    assert "Found after 2 epochs" in out and "tensorboard --logdir=" in out
    assert "--mode=train --dataset=pydoc makes a network of" in out
    assert "\r" not in out, "no bar where there is no terminal"
    cell = genotype_files.load(directory / "genotype.json")
    assert len(cell.edges) == 8
    history = records(directory)
    assert [record["epoch"] for record in history] == [1, 2]
    assert all(np.isfinite(record["validation_perplexity"]) for record in history)
    settings = json.loads((directory / "config.json").read_text())["settings"]
    assert settings["units"] == 8 and settings["weight_learning_rate"] == 20.0
    for picture in ("cell", "alpha_cell", "curves"):
        assert (directory / "plots" / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
    assert (directory / "plots" / "cell.gif").read_bytes().startswith(b"GIF89a")
    assert list(directory.glob("events.out.tfevents.*"))


@pytest.mark.long
def test_a_search_on_images_leaves_everything(whole_run):
    directory, out = whole_run("images")
    assert out.count("validation accuracy") == 3 and "Found after 2 epochs" in out
    assert "the most frequent class" in out
    cell = genotype_files.load(directory / "genotype.json")
    assert isinstance(cell, genotype.ConvolutionalGenotype)
    for record in records(directory):
        assert 0 <= record["validation_accuracy"] <= 100
        assert {name: np.shape(m) for name, m in record["mixing"].items()} == {
            "normal": (14, 8),
            "reduce": (14, 8),
        }
    for picture in ("cell", "alpha_normal", "alpha_reduce", "curves"):
        assert (directory / "plots" / f"{picture}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("space", "steps"),
    [
        ("text", [8]),  # in the second epoch
        pytest.param("text", [4, 8], marks=pytest.mark.long),
        pytest.param("images", [4, 8], marks=pytest.mark.long),
    ],
)
def test_killed_and_resumed_it_is_bit_identical(
    command, kept_programs, whole_run, tmp_path, space, steps
):
    whole = whole_run(space)
    arguments = (*SPACES[space], f"--run_dir={tmp_path}")
    latest = tmp_path / "checkpoints" / "latest"
    for step in steps:
        process = command.start(*arguments, **kept_programs)
        command.wait_for(lambda s=step: saved_steps(latest) >= s, process, f"step {step}")
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    status, out, err = command.run(*arguments, **kept_programs)
    assert status == 0, err
    assert "Resuming after step" in out
    ours, theirs = checkpoint(tmp_path), checkpoint(whole[0])
    assert ours.keys() == theirs.keys() and any("alphas" in name for name in ours)
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)
    assert records(tmp_path) == records(whole[0])


@pytest.mark.long  # a study is asked to stop in tests/test_main_studies.py
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_saves_and_says_so(command, kept_programs, tmp_path, number):
    settings = *SMALL, "--hypergradient=first_order", f"--run_dir={tmp_path}", "--epochs=500"
    process = command.start(*settings, **kept_programs)
    history = tmp_path / "history.jsonl"
    command.wait_for(lambda: history.exists() and history.stat().st_size > 0, process, "an epoch")
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Stopped after step" in err and "the same command goes on" in err
    step = checkpoint(tmp_path)["steps/.ATTRIBUTES/VARIABLE_VALUE"]
    assert f"after step {step} " in err


@pytest.mark.long
def test_a_found_cell_is_trained_killed_resumed_and_tested(command, whole, tmp_path):
    arguments = [
        "--mode=train",
        "--dataset=pydoc",
        f"--genotype={whole[0] / 'genotype.json'}",
        "--units=8",
        "--batch_size=8",
        "--bptt=8",
        "--epochs=3",
        "--steps_per_epoch=6",
        "--evaluation_batch_size=200",
        "--test_batch_size=100",
        "--averaging_patience=1",
        "--learning_rate=1",
        "--checkpoint_steps=2",
        "--deterministic",
    ]
    status, out, err = command.run(*arguments, f"--run_dir={tmp_path / 'whole'}")
    assert status == 0, err
    assert "The best of 3 epochs is" in out
    counts = json.loads((tmp_path / "whole" / "counts.json").read_text())
    words = (counts["weights"] - 20 * 8**2) // 9  # 8 weights and a bias for each
    assert counts == {"weights": 1280 + 9 * words, "multiply-adds a word": 1280 + 8 * words}
    assert f"The network has {counts['weights']:,} weights and" in out
    latest = tmp_path / "killed" / "checkpoints" / "latest"
    process = command.start(*arguments, f"--run_dir={tmp_path / 'killed'}")
    command.wait_for(lambda: saved_steps(latest) >= 8, process, "step 8")
    process.kill()
    process.communicate()
    status, out, err = command.run(*arguments, f"--run_dir={tmp_path / 'killed'}")
    assert status == 0 and "Resuming after step" in out, err
    ours, theirs = checkpoint(tmp_path / "killed"), checkpoint(tmp_path / "whole")
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)
    assert records(tmp_path / "killed") == records(tmp_path / "whole")
    status, out, err = command.run("--mode=test", f"--run_dir={tmp_path / 'killed'}")
    assert status == 0 and "word frequencies alone" in out, err
    found = json.loads((tmp_path / "killed" / "test.json").read_text())
    assert np.isfinite(found["scores"]["perplexity"])
    status, _, err = command.run("--mode=test", f"--run_dir={whole[0]}")
    assert status == 2 and "holds a search" in err


@pytest.mark.slow
def test_a_report_of_a_search(whole, tmp_path):
    arguments = ["--mode=report", f"--report_dir={tmp_path}"]
    status, out, err = in_process.run(in_process.MAIN, *arguments, f"--run_dir={whole[0]}")
    assert status == 0, err
    assert f"Report: {tmp_path / 'report.md'}" in out and "tensorboard --logdir=" in out
    text = (tmp_path / "report.md").read_text()
    assert "## pydoc: perplexity" in text and "| darts | 1 |" in text
    status, _, err = in_process.run(
        in_process.MAIN, *arguments, f"--run_dir={whole[0]},{tmp_path / 'nothing'}"
    )
    assert status == 2 and "nothing: has no run in it" in err and "Traceback" not in err


@pytest.mark.slow
def test_another_configuration_is_refused(whole):
    status, _, err = in_process.run(
        in_process.MAIN, *SMALL, f"--run_dir={whole[0]}", "--units=9", "--seed=4"
    )
    assert status == 2
    assert "seed was 0 and is now 4; units was 8 and is now 9" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_finished_run_says_so_again(whole):
    status, out, _ = in_process.run(in_process.MAIN, *SMALL, f"--run_dir={whole[0]}")
    assert status == 0 and "Found after 2 epochs" in out


def test_wrong_flags_need_not_wait_for_tensorflow():
    program = """
import runpy, sys
try:
    runpy.run_module("tf_darts.main", run_name="__main__", alter_sys=True)
finally:
    print("imported" if "tensorflow" in sys.modules else "not imported")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "--mode=search", "--dataset=pydoc", "--units=0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "not imported\n")
    assert done.stderr.startswith("tf_darts: --units=0: out of range"), done.stderr


@pytest.mark.parametrize(
    ("stream", "sign"), [("stderr", "absl.flags"), ("stdout", "Loading TensorFlow")]
)
def test_ctrl_c_while_it_imports_is_one_line(command, tmp_path, stream, sign):
    run_dir = tmp_path / "run"
    # A job in the background ignores Ctrl-C, and so do its children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = command.start(*SMALL, f"--run_dir={run_dir}", PYTHONPROFILEIMPORTTIME="1")
    signal.signal(signal.SIGINT, before)
    next(line for line in getattr(process, stream) if sign in line)
    time.sleep(0.5 * (stream == "stdout"))  # its errors are caught by then
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    ours = [line for line in err.splitlines() if not line.startswith("import time:")]
    assert ours[-1].endswith("tf_darts: interrupted before it began; nothing was written.")
    assert "Traceback" not in err and not run_dir.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nodeterministic=1"], "it takes no value; write --nodeterministic"),
        (["--unit=3"], "--unit is no flag; did you mean --units?"),
        (["--flagfile=/nowhere"], "--flagfile=/nowhere: cannot be read (No such file"),
        ([], "no --mode given; use one of black_box, export"),
        (["--mode=search", "--dataset=ptbb"], "use one of ptb, wikitext2, pydoc, text"),
        (["--mode=search", "--dataset=pydoc", "--units=0"], "--units=0: out of range"),
        (["--mode=search", "--dataset=pydoc", "--layers=8"], "it is for searches on images"),
        (["--mode=search", "--dataset=folder"], "--data_dir"),
        (["--mode=search", "--dataset=digits", "--batch_size=4000"], "--batch_size"),
        (["--mode=search", "--dataset=digits", "--layers=2"], "--layers=2: out of range"),
        (["--mode=search", "--dataset=text", "--data_dir=/nowhere"], "is not a directory"),
        (["--mode=search", "--dataset=pydoc", "--batch_size=5000"], " or less, or a longer text"),
        (
            ["--mode=train", "--dataset=cifar10", "--genotype=enas"],
            "it goes with --dataset=ptb|wikitext2|pydoc|text",
        ),
        (["--mode=train", "--dataset=pydoc", "--genotype=none.json"], "none.json: cannot be read"),
    ],
)
def test_wrong_input_is_one_sentence(tmp_path, arguments, words):
    status, out, err = in_process.run(
        in_process.MAIN, *arguments, *([f"--run_dir={tmp_path / 'r'}"] if arguments else [])
    )
    assert status == 2 and out in ("", f"{device_line()}\n")
    assert words in in_process.sentence(err, "tf_darts")
    assert not (tmp_path / "r").exists(), "nothing is made before the input is known to be good"


@pytest.mark.slow
def test_wrong_input_in_a_process_of_its_own(command, tmp_path):
    """With sizes that data do not allow, so after TensorFlow has begun."""
    given = ["--mode=search", "--dataset=digits", "--batch_size=4000"]
    status, out, err = command.run(*given, f"--run_dir={tmp_path / 'r'}")
    # On a slow machine a line says besides that data are being read.
    lines = [line for line in out.splitlines() if not line.startswith("Reading the data")]
    assert status == 2 and lines == ["Loading TensorFlow …", device_line()]
    assert "--batch_size" in in_process.sentence(err, "tf_darts")
    assert not (tmp_path / "r").exists()
