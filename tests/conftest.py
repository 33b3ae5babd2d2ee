"""Fixtures for all tests: reference data (where present), toy data, the command, float64."""
# ruff: noqa: E402 (TensorFlow is loaded before what imports it)

from tf_darts.runtime import start_up

start_up.load_tensorflow()  # without its chatter

import gc
import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import time

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow.python.framework.config import disable_op_determinism  # there is no public way
from tensorflow_datasets.core import registered

import tf_darts.accelerate  # noqa: F401, as every run has them
from tests.support.paths import ROOT, SHARED
from tf_darts.report import plots
from tf_darts.runtime.graph_optimisers import ALL, NOT_WORTH_IT
from tf_darts.runtime.lean_graphs import set_lean
from tf_darts.runtime.precision import set_precision
from tf_darts.runtime.whole_programs import set_xla
from tf_darts.spaces.fast_forms import set_acceleration

if "PYTEST_XDIST_WORKER" in os.environ:
    # There are as many of these processes as cores: with more threads each they would wait for each
    # other, an eighth of all time. Processes that tests start have TensorFlow's usual threads.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def pytest_collection_finish():
    """What is imported stays: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # traces of functions are millions of objects


def pytest_collection_modifyitems(items):
    """Files with slow tests first: begun last, one of them would keep one worker busy alone."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_runtest_setup(item):
    if item.get_closest_marker("long") and not os.environ.get("TF_DARTS_LONG_TESTS"):
        pytest.skip("minutes; TF_DARTS_LONG_TESTS=1 runs it")


@pytest.fixture(autouse=True)
def _fast_forms_as_ever():
    """A program in the tests' own process may have set `--accelerate=off` or `--xla=step`.

    And one of image networks has left out graph optimisers, and one with `--deterministic` has
    asked for kernels that always add up alike: XLA has none for the gradient of max pooling.
    """
    yield
    set_acceleration("auto")
    set_lean(True)
    set_xla("auto")
    tf.config.optimizer.set_experimental_options(dict.fromkeys((ALL, *NOT_WORTH_IT)))
    disable_op_determinism()


@pytest.fixture
def eagerly():
    """Functions are not compiled: tracing a network takes longer than a few toy steps of it."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def all_eagerly():
    """`eagerly` for all tests of a file, and for the runs that they share."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session", autouse=True)
def _unsynced():
    """Nobody pulls the plug here: files need not be on the disk before the next is written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture
def undrawn(monkeypatch):
    """A run's pictures have one pixel: those of a toy epoch take longer than its steps."""
    stream = io.BytesIO()
    Image.new("RGB", (1, 1), "white").save(stream, "png")
    monkeypatch.setattr(plots, "_encode", lambda figure, suffix: stream.getvalue())


@pytest.fixture
def uncounted(monkeypatch):
    """Memory is not counted before a run: that traces a network's gradient, and has own tests."""
    from tf_darts.runs import search, training

    monkeypatch.setattr(search, "search_memory", lambda *arguments: None)
    monkeypatch.setattr(training, "training_memory", lambda *arguments: None)


class Command:
    """The real command in processes of its own; `program` is what Python is given to start it."""

    def __init__(self, *program):
        self.program = program

    def start(self, *arguments, **environment):
        return subprocess.Popen(
            [sys.executable, *self.program, *arguments],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | environment,
        )

    def run(self, *arguments, **environment):
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=900)
        return process.returncode, out, err

    def wait_for(self, condition, process, what):
        deadline = time.monotonic() + 500
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
    return Command("-m", "tf_darts.main")


@pytest.fixture(scope="session")
def eager_command():
    """The command without compiled functions, for toy runs in which those are not the matter."""
    return Command("tests/support/eagerly.py", "tf_darts/main.py")


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The folder of reference numbers and data sets beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("no reference data: there is no folder `shared` beside the checkout")
    return SHARED


@pytest.fixture
def unpacked_case(shared, tmp_path):
    """A function from the name of an input of a public report to the folder that it unpacks."""

    def unpack(name):
        archive = shared / "cases" / f"{name}.tar.gz"
        if not archive.exists():
            pytest.skip(f"no inputs of public reports: {archive.name} is missing")
        folder = tmp_path / name
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")
        return folder

    return unpack


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


def _prepared(folder, known, splits):
    """Prepares a known set of TensorFlow Datasets there, of so many random images in each part."""
    random = np.random.default_rng(0)

    def examples(count):
        for i in range(count):
            pixels = random.integers(0, 256, (32, 32, 3)).astype(np.uint8)
            rest = {"id": f"{i}"} if "id" in known.info.features else {"file_name": f"{i}.jpeg"}
            yield i, {"image": pixels, "label": i % 3, **rest}

    with registered.skip_registration():
        members = {
            "VERSION": known.version,
            "_info": lambda self: tfds.core.DatasetInfo(
                builder=self, features=known.info.features, supervised_keys=("image", "label")
            ),
            "_split_generators": lambda self, manager: {
                name: examples(count) for name, count in splits.items()
            },
            "_generate_examples": None,
        }
        kind = type(known.name.capitalize(), (tfds.core.GeneratorBasedBuilder,), members)
    kind(data_dir=folder).download_and_prepare()


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory):
    """A folder with a little of every data set that the documents name, made up."""
    folder = tmp_path_factory.mktemp("toy_data")
    for part, lines in (("train", 80), ("valid", 40), ("test", 40)):
        text = " the cat <unk> sat on the mat \n" * lines
        for name in (f"ptb.{part}.txt", f"wiki.{part}.tokens", f"{part}.txt"):
            (folder / name).write_text(text, encoding="utf-8")
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        for i in range(40):
            file = folder / part / f"class{i % 3}" / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 256, (32, 32, 3)).astype(np.uint8)).save(file)
    for name, parts in (("cifar10", ("train", "test")), ("imagenet2012", ("train", "validation"))):
        known = tfds.builder(name, data_dir=folder)
        _prepared(folder, known, dict.fromkeys(parts, 40))
    return folder


@pytest.fixture
def float64():
    """Everything new is float64 while the test runs."""
    set_precision("float64")
    yield
    set_precision("float32")
