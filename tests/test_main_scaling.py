"""Several workers with the real command: one is killed, both go on; and wrong input."""

import json
import signal
import socket

import pytest

from tests.support import in_process
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

SETTINGS = [
    "--mode=train",
    "--dataset=pydoc",
    "--genotype=darts_v2",
    "--units=8",
    "--batch_size=8",
    "--bptt=8",
    "--epochs=2",
    "--steps_per_epoch=6",
    "--evaluation_batch_size=200",
    "--learning_rate=1",
    "--averaging_patience=0",
    "--checkpoint_steps=1",
    *(f"--{name}_dropout=0" for name in ("embedding", "input", "cell_input", "hidden", "output")),
]


def _cluster():
    """TF_CONFIG of two workers on this machine."""
    with socket.socket() as one, socket.socket() as other:
        ports = []
        for each in (one, other):
            each.bind(("localhost", 0))
            ports.append(each.getsockname()[1])
    workers = [f"localhost:{port}" for port in ports]
    return [
        json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})
        for index in range(2)
    ]


def _start(command, directory, *more):
    return [
        command.start(
            *SETTINGS,
            "--distribution=multi_worker",
            "--check_replicas",
            f"--run_dir={directory}",
            *more,
            TF_CONFIG=cluster,
        )
        for cluster in _cluster()
    ]


def _losses(directory):
    lines = (directory / "history.jsonl").read_text().splitlines()
    names = ("train_loss", "validation_loss", "step")
    return [[json.loads(line)[name] for name in names] for line in lines]


@pytest.mark.long
def test_a_worker_is_killed_or_stopped_and_the_run_goes_on(command, tmp_path):
    alone = (*SETTINGS, f"--run_dir={tmp_path / 'one'}")
    status, _, err = in_process.run(in_process.MAIN, *alone, eagerly=True)
    assert status == 0, err

    directory = tmp_path / "two"
    chief, worker = _start(command, directory)
    latest = directory / "checkpoints" / "latest" / "ckpt-3.index"
    command.wait_for(latest.exists, worker, "third checkpoint")
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    _, err = chief.communicate(timeout=200)
    assert chief.returncode == 2
    assert err.splitlines()[-1].startswith("tf_darts: another worker was lost")

    processes = _start(command, directory)
    latest = directory / "checkpoints" / "latest" / "ckpt-7.index"
    command.wait_for(latest.exists, processes[1], "seventh checkpoint")
    processes[1].send_signal(signal.SIGTERM)
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 128 + signal.SIGTERM, err
        assert "Stopped after step" in err.splitlines()[-1]

    processes = _start(command, directory)
    for process in processes:
        _, err = process.communicate(timeout=280)
        assert process.returncode == 0, err
    assert (directory / "result.json").exists()
    for found, right in zip(_losses(directory), _losses(tmp_path / "one"), strict=True):
        assert found == pytest.approx(right, rel=1e-5)
    settings = json.loads((directory / "config.json").read_text())["settings"]
    assert (settings["distribution"], settings["replicas"]) == ("multi_worker", 2)


# Worker 1 lives, and so TensorFlow hears of it, but does not go on after its third step.
STUCK = """
import json, os, time
from tf_darts.runtime.run_loop import RunLoop

notify = RunLoop._notify

def stuck(self, event, *arguments):
    if event == "on_step" and arguments[0] == 3:
        time.sleep(1000)
    notify(self, event, *arguments)

if json.loads(os.environ["TF_CONFIG"])["task"]["index"] == 1:
    RunLoop._notify = stuck
"""


@pytest.mark.long
def test_a_worker_that_lives_and_does_not_come_is_named(command, tmp_path):
    (tmp_path / "stuck.py").write_text(STUCK)
    directory = tmp_path / "run"
    more = f"--load={tmp_path / 'stuck.py'}", "--worker_timeout=10"
    chief, worker = _start(command, directory, *more)
    _, err = chief.communicate(timeout=200)
    worker.kill()
    worker.communicate()
    assert chief.returncode == 2, err
    last = err.splitlines()[-1]
    assert last.startswith("tf_darts: worker 1 (localhost:") and "did not come to where" in last
    assert "Traceback" not in err
    processes = _start(command, directory)
    for process in processes:
        _, err = process.communicate(timeout=280)
        assert process.returncode == 0, err
    assert len(_losses(directory)) == 2


# By what worker 1 measures the search would stop after its first epoch.
UNLIKE = """
import json, os
from tf_darts.methods.darts_plus import SkipStop
from tf_darts.methods.skip_count import SkipCount

def measure(self, probe):
    return {f"skips/{kind}": 99 for kind in probe.cells}

if json.loads(os.environ["TF_CONFIG"])["task"]["index"] == 1:
    SkipStop.measure = SkipCount.measure = measure
"""


@pytest.mark.long
def test_workers_of_a_search_go_by_what_the_chief_measures(command, tmp_path):
    (tmp_path / "unlike.py").write_text(UNLIKE)
    settings = [
        "--mode=search",
        "--dataset=pydoc",
        "--hypergradient=first_order",
        "--units=4",
        "--batch_size=4",
        "--bptt=4",
        "--epochs=2",
        "--steps_per_epoch=2",
        "--evaluation_batch_size=200",
        "--rules=skip_stop",
        "--skip_stop_count=50",
        "--distribution=multi_worker",
        "--check_replicas",
        f"--run_dir={tmp_path / 'run'}",
        f"--load={tmp_path / 'unlike.py'}",
    ]
    processes = [command.start(*settings, TF_CONFIG=cluster) for cluster in _cluster()]
    ends = []
    for process in processes:
        out, err = process.communicate(timeout=280)
        assert process.returncode == 0, err
        ends.append(out[out.index("Found after 2 epochs") :].split("minutes")[1])
    assert ends[0] == ends[1]


@pytest.mark.long
def test_two_devices_of_the_cpu_as_documented(command, tmp_path):
    document = (ROOT / "docs" / "scaling.md").read_text()
    lines = [line.split() for line in document.splitlines() if line.startswith("    python")]
    flags = next(line[3:] for line in lines if "--cpu_replicas=2" in line)
    status, _, err = command.run(*flags, f"--run_dir={tmp_path}")
    assert status == 0, err
    settings = json.loads((tmp_path / "config.json").read_text())["settings"]
    assert (settings["distribution"], settings["replicas"]) == ("mirrored", 2)


@pytest.mark.slow
def test_one_device_is_not_enough(command, tmp_path):
    flags = ["--distribution=mirrored", f"--run_dir={tmp_path / 'run'}"]
    status, _, err = command.run(*SETTINGS, *flags)
    assert status == 2
    last = err.splitlines()[-1]
    assert last.startswith("tf_darts: ") and "needs two devices or more" in last
    assert not (tmp_path / "run").exists()
