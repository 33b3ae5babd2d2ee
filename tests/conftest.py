"""Fixtures for all tests: the shared reference data (where present) and float64."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import json
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.runtime.precision import set_precision

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


class Command:
    """The real command in processes of its own."""

    def start(self, *arguments, **environment):
        return subprocess.Popen(
            [sys.executable, "-m", "tf_darts.main", *arguments],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | environment,
        )

    def run(self, *arguments, **environment):
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def wait_for(self, condition, process, what):
        deadline = time.monotonic() + 200
        while not condition():
            assert process.poll() is None, f"ended before {what}: {process.stderr.read()}"
            assert time.monotonic() < deadline, f"no {what}"
            time.sleep(0.05)


# Two devices, so that replicas can be tried; who asks for none computes on the first. Made before
# TensorFlow is used.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.fixture(scope="session")
def mirrored():
    """A strategy of two replicas on the CPU."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture(scope="session")
def command():
    return Command()


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The folder of reference numbers and data sets beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("no reference data: there is no folder `shared` beside the checkout")
    return SHARED


@pytest.fixture(scope="session")
def load_golden(shared):
    """A function from a file's name to its golden numbers, arrays; a `config` is decoded."""

    def load(name):
        file = shared / "golden" / f"{name}.npz"
        if not file.exists():
            pytest.skip(f"no golden numbers: {file.name} is missing")
        with np.load(file) as archive:
            numbers = {key: archive[key] for key in archive.files}
        if "config" in numbers:
            numbers["config"] = json.loads(str(numbers["config"]))
        return numbers

    return load


@pytest.fixture
def float64():
    """Everything new is float64 while the test runs."""
    set_precision("float64")
    yield
    set_precision("float32")
