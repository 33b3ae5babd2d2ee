"""Tests of what is said of a run's memory."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.support.paths import ROOT
from tf_darts.runtime.memory import estimate as memory

MEGABYTE = 1_000_000


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A system with 8 GB free, and 1 GB in this process."""
    proc, cgroup = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    cgroup.mkdir()
    (proc / "meminfo").write_text("MemTotal:  16000000 kB\nMemAvailable:  8000000 kB\n")
    (proc / "self" / "statm").write_text("9000000 250000 100 1 0 1 0\n")
    monkeypatch.setattr(memory, "PROC", proc)
    monkeypatch.setattr(memory, "CGROUP", cgroup)
    monkeypatch.setattr(memory.resource, "getpagesize", lambda: 4096)
    return cgroup


def test_what_is_free(machine):
    assert memory.resident() == 250000 * 4096
    assert memory.available() == 8000000 * 1024 + memory.resident()


def test_a_container_may_allow_less(machine):
    (machine / "memory.max").write_text("3000000000\n")
    (machine / "memory.current").write_text("1000000000\n")
    assert memory.available() == 2000000000 + memory.resident()
    (machine / "memory.max").write_text("max\n")
    assert memory.available() == 8000000 * 1024 + memory.resident()


def test_a_system_that_does_not_say(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "PROC", tmp_path)
    assert memory.available() is None
    assert memory.resident() == memory.peak_resident() > 100 * MEGABYTE


def test_enough(machine, capsys):
    need = memory.MemoryEstimate(1000 * MEGABYTE, 500 * MEGABYTE, 0, 1000 * MEGABYTE)
    memory.announce(need, "try less", "a: ")
    said = capsys.readouterr().out
    assert said == "a: It will need about 2.6 GB of memory; this machine has 9.2 GB for it.\n"


def test_too_little(machine, capsys):
    need = memory.MemoryEstimate(1000 * MEGABYTE, 500 * MEGABYTE, 0, 10_000 * MEGABYTE)
    memory.announce(need, memory.advice(64, 1, False))
    said = capsys.readouterr().out.splitlines()
    assert said[1] == (
        "WARNING: that is too much, and the run may be killed for it; try --rematerialize, which"
        " changes no result, or --micro_batches=2, or --batch_size=32."
    )


def test_hardly_enough(machine, capsys):
    need = memory.MemoryEstimate(1000 * MEGABYTE, 500 * MEGABYTE, 0, 6000 * MEGABYTE)
    memory.announce(need, "try less", "a: ")
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "a: It will need about 8.0 GB of memory; this machine has 9.2 GB for it."
    assert said[1] == (
        "a: That is close, since it may take up to 27% more than is foreseen; should it be killed"
        " for that, try less."
    )


def test_advice_that_does_not_help_is_not_given():
    assert memory.advice(64, 2, True) == "try --micro_batches=4, or --batch_size=32"
    assert memory.advice(9, 1, True) == "try --batch_size=4"


def test_a_batch_of_known_size():
    signature = tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, 3])
    found = memory.sized(signature, 1, 4, longest=35)
    assert [spec.shape.as_list() for spec in found] == [[35, 4], [35, 3]]


@pytest.mark.long
def test_the_peak_is_the_process_s_own_and_not_what_its_parent_had():
    ballast = np.ones(1_500_000_000, np.uint8)
    program = "from tf_darts.runtime.memory.estimate import peak_resident; print(peak_resident())"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert memory.peak_resident() > ballast.nbytes
    assert 50_000_000 < int(done.stdout) < 1_200_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        ["--task=rnn_train", "--units=300", "--batch_size=64"],
        pytest.param(
            ["--task=cnn_train", "--batch_size=48", "--layers=6", "--channels=16"],
            marks=pytest.mark.long,
        ),
    ],
)
def test_the_estimate_is_what_a_process_takes(settings):
    command = [sys.executable, "tools/benchmark.py", "--steps=2", "--warmup=1", *settings]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["estimated_memory_gb"] == pytest.approx(result["peak_memory_gb"], rel=0.25)
