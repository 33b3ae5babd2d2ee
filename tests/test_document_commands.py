"""Every command in README.md and docs/*.md is run at toy size, in the order of its document.

Somebody (`Reader`) types them one after the other in a folder that looks like the checkout: what a
command finds is what the ones before it left under the names that the document says. Toy data stand
for the documents' own, and flags for small sizes are added. All is in this process, and functions
are not compiled (`run_functions_eagerly`): tracing a supernet takes longer than the toy steps.
docs/quickstart.md is run as it stands by tests/test_documents.py.

`NOT_RUN` has the commands that are not run here, and why or where they are; tests/test_documents.py
reads their flags, as those of all. `VARIANTS` are run with the long tests.
"""

import os
import pathlib
import re
import runpy
import shlex
import shutil
import subprocess
import sys

import pytest
import tensorflow as tf
from absl import flags

from tests.support import toy_table
from tests.support.paths import ROOT
from tf_darts.cli import flags as command_line
from tf_darts.cli import modes as commands

pytestmark = [
    # Input pipelines are compiled all the same, as TensorFlow says.
    pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning"),
    pytest.mark.slow,
    pytest.mark.skipif(
        not (ROOT / "MODULE.bazel").exists(), reason="not in a checkout: the programs are not there"
    ),
]

# By a pattern of the command.
NOT_RUN = {
    r"^(docker|export|uv) ": "needs Docker, other machines, a package index",
    r"^curl ": "needs a server; tests/formats/test_serving_api.py answers it",
    r"^(tools/test.sh|tools/quickstart.sh)": "installs a Python environment; is the whole of CI",
    r"^python examples/": "run by tests/test_examples.py",
    r"--load=examples/own_space.py": "run by tests/test_own_space.py",
    r"--load=examples/own_method.py": "run by tests/test_own_method.py",
    r"--load=examples/own_activation.py": "run by tests/test_own_activation.py",
    r"--load=examples/own_hypergradient.py": "run by tests/test_own_hypergradient.py",
    r"--load=experiments/shared_weights.py": "a measurement; tests/test_results_document.py",
    r"import_table": "needs the public file; tests/tools/test_import_table.py",
    r"import_official_weights": "needs the official file; tests/export/test_official_runs.py",
    r"--task=TASK": "stands for those of the table below it",
    r"--distribution=": "makes devices or workers; tests/test_main_scaling.py",
    r"--run_dir=SHARED": "a chief and workers; tests/test_main_studies.py",
    r"answer_request.py --export_dir=models/pydoc": "tests/test_export_command.py asks the same",
    r"--export_dir=models/NAME_(litert|onnx)": "tests/test_export_command.py",
    r"--against-torch": "steps of real sizes; tests/tools/test_benchmark.py",
    r"^python experiments/": "measurements; experiments/README.md",
    r"measure_exports": "needs these exports; tests/test_export_command.py",
}
# Which are as others, but for sizes, seeds or kinds.
VARIANTS = [
    r"flags/search_(ptb|cifar10).flags",
    r"flags/select_ptb.flags$",
    r"flags/select_cifar10.flags",
    r"benchmark.py .*(--batch_size=256|cnn_search --batch_size=64)",
    r"search .*cifar10 .*--channels=8",
    r"search .*--space=planted (--run_dir|--rules)",  # tests/runs/test_controls.py
    r"select .*cifar10 .*--count=4 --run_dir=RUN",
    r"select .*=finite_difference,random --count=4 --search",
]
COMMAND = r"(python|docker|curl|export|uv) |tools/\w+\.sh"
TEXTS = ("ptb", "wikitext2", "pydoc", "text")
SHORT = "epochs=1,steps_per_epoch=1"
SMALL = {  # by mode and whether it is of texts
    ("search", True): f"units=8,batch_size=4,bptt=6,{SHORT},evaluation_batch_size=8",
    ("train", True): f"units=8,batch_size=8,bptt=8,{SHORT},evaluation_batch_size=8"
    ",test_batch_size=8,learning_rate=1",
    ("search", False): f"channels=2,layers=3,batch_size=4,{SHORT},evaluation_batch_size=10"
    ",train_examples=20",
    ("train", False): f"channels=2,layers=3,batch_size=4,{SHORT},evaluation_batch_size=10"
    ",train_examples=20,validation_examples=10",
}
SMALL_BENCHMARK = (
    *("--batch_size=2", "--units=8", "--words=20", "--bptt=4", "--channels=4"),
    *("--steps=1", "--warmup=1", "--rounds=1", f"--python={sys.executable}"),
)
# By the space, in place of the layers.
LAYERS = {"nasbench201": ("layers=3", "cells_per_stage=1"), "planted": ("layers=3,", "")}
LINKS = {"search": "SEARCH", "train": "TRAINING"}


def settings(text):
    return dict(one.split("=", 1) for one in (text or "").split(",") if one)


def small_settings(values, mode):
    """The settings that make a search or training small, in the space that a command has."""
    small = SMALL[mode, values.dataset in TEXTS]
    config = command_line.config_from_flags(values)
    space = getattr(config, "space", "")
    made = settings(small.replace(*LAYERS[space]) if space in LAYERS else small)
    if hasattr(config, "partial_channels"):
        made["channels"] = str(config.partial_channels)
    if hasattr(config, "warm_up_epochs"):
        made |= {"epochs": "2", "warm_up_epochs": "1"}
    if hasattr(config, "stage_settings"):
        made["stage_settings"] = "layers:3/4/5,skip_dropout:.1/.4/.7"
        del made["layers"]  # each stage has its own
    return made


def study_settings(values, mode):
    """The settings of a study's searches or trainings: given, made small, without what is tuned."""
    small = small_settings(values, mode)
    tuned = {name.split(".")[-1] for name in settings(values.tune)}
    merged = settings(values[f"{mode}_settings"].value) | small
    if "warm_up_epochs" in merged:
        merged |= {"epochs": "2", "warm_up_epochs": "1"}
    pairs = (f"{name}={value}" for name, value in merged.items() if name not in tuned)
    return f"--{mode}_settings={','.join(pairs)}"


def smaller(values):
    """The flags that make a command small which learns from data."""
    if values.mode in ("search", "train"):
        small = small_settings(values, values.mode)
        if values.train_on_all:
            del small["validation_examples"]
        yield from (f"--{name}={value}" for name, value in small.items())
    elif values.mode == "select":
        yield "--count=1"
    elif values.tuner != "hyperband":
        yield "--trials=1"
    elif values.table:
        yield "--train_settings=epochs=3"
    if values.mode not in ("search", "train") and not values.table:
        yield study_settings(values, "train")
    if values.mode == "select" or (values.mode == "tune" and not values.genotype):
        yield study_settings(values, "search")
    if values.dataset == "imagenet2012":
        yield from ("--image_size=32", "--auxiliary_weight=0")
    looked_up = values.mode == "black_box" and values.table  # nothing is read then
    if (
        not values.data_dir
        and values.dataset not in ("digits", "planted", "pydoc")
        and not looked_up
    ):
        yield "--data_dir=DIR"
    if values.run_dir == "RUN":
        yield f"--run_dir=runs/number{sum(1 for _ in pathlib.Path().glob('runs/*'))}"


class Reader:
    """Types commands in the current folder.

    RUN is the run before (for pictures, the search before), DIR and its like are toy data.
    """

    def __init__(self, toy_data):
        for name in ("docs", "examples", "flags", "tf_darts", "tools"):
            pathlib.Path(name).symlink_to(ROOT / name)
        for name in ("DIR", "PICTURES", "TEXTS", "PARTS"):
            pathlib.Path(name).symlink_to(toy_data)
        shutil.copy("docs/images/zero.png", "picture.png")
        toy_table.write(pathlib.Path("nasbench201.csv"))
        pathlib.Path("torch_darts.py").write_text("print('{\"median_s\": 1.5}')")

    def type(self, words):
        if words[:3] == ["python", "-m", "tf_darts.main"]:
            return self.main(words[2:])
        if words[:2] == ["python", "-I"]:
            return subprocess.run([sys.executable, *words[1:]], check=False).returncode
        if "plot_cell" in words[1] and pathlib.Path("runs/SEARCH").exists():
            self.link("RUN", "runs/SEARCH")
        if "benchmark" in words[1]:
            other = "--task=nb201_search" in words
            own = any(word.startswith("--setting=") for word in words)
            size = [] if own else ["--setting=cells_per_stage=1"]
            words = [*words, *SMALL_BENCHMARK, *(size if other else ["--layers=3"])]
        return self.program(words[1:])

    def main(self, words):
        # A study is cut to one seed here: its candidate of another is that of the first.
        words = [re.sub(r"(candidates/\w+_seed)\d+", r"\g<1>0", word) for word in words]
        values = flags.FlagValues()
        command_line.define_flags(values)
        flags.DEFINE_string("flagfile", None, "as absl has it", flag_values=values)
        values(words)
        toy = list(smaller(values)) if values.dataset else []
        if values.mode == "test" and not values.data_dir:
            toy.append("--data_dir=DIR")
        values([*words, *toy])
        config = command_line.config_from_flags(values)
        tf.config.run_functions_eagerly(config.mode != "export")  # which is all about graphs
        commands.MODES[config.mode](config)
        if values.dataset:
            for name in ("RUN", f"runs/{LINKS.get(config.mode, 'STUDY')}"):
                self.link(name, config.run_dir)
        return 0

    def program(self, words):
        """Runs a program's `main` with its flags; they are forgotten afterwards."""
        known = set(flags.FLAGS)
        tf.config.run_functions_eagerly(True)
        sys.path.insert(0, str(ROOT / "tools"))  # as Python does with a program's folder
        try:
            program = runpy.run_path(words[0])
            if "gemm_rate" in program:  # a benchmark's measure of the machine
                program["gemm_rate"].__defaults__ = (64,)
            program.get("define_flags", lambda: None)()
            return program["main"](flags.FLAGS(words)) or 0
        finally:
            sys.path.remove(str(ROOT / "tools"))
            for name in [name for name in sys.modules if name.startswith("benchmark_")]:
                del sys.modules[name]  # which define flags when they are imported
            for name in set(flags.FLAGS) - known:
                delattr(flags.FLAGS, name)
            flags.FLAGS.unparse_flags()

    def link(self, name, target):
        path = pathlib.Path(name)
        path.parent.mkdir(exist_ok=True)
        target = pathlib.Path(target).resolve()
        path.unlink(missing_ok=True)
        path.symlink_to(target)


@pytest.fixture
def reader(tmp_path, monkeypatch, toy_data):
    monkeypatch.chdir(tmp_path)
    yield Reader(toy_data)
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def documents():
    """What tests/test_documents.py knows of documents."""
    return runpy.run_path(str(pathlib.Path(__file__).with_name("test_documents.py")))


def run_all(reader, documents, stem):
    """Types the commands of a document; returns how many were run."""
    done = 0
    left_out = [*NOT_RUN, *([] if os.environ.get("TF_DARTS_LONG_TESTS") else VARIANTS)]
    for parameters in documents["commands"](COMMAND):
        (words,) = parameters.values
        if not parameters.id.startswith(f"{stem}-"):
            continue
        if any(re.search(pattern, " ".join(words)) for pattern in left_out):
            continue
        assert reader.type(words) == 0, shlex.join(words)
        done += 1
    return done


# How many commands are run at least.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("stem", "count"),
    [
        pytest.param("README", 12, marks=pytest.mark.long),
        ("controls", 2),
        pytest.param("add_your_own", 2, marks=pytest.mark.long),
        pytest.param("better_than_random", 3, marks=pytest.mark.long),
        pytest.param("gpu", 1, marks=pytest.mark.long),
        pytest.param("which_method", 2, marks=pytest.mark.long),
        pytest.param("nasbench201", 12, marks=pytest.mark.long),
        pytest.param("methods", 5, marks=pytest.mark.long),
        pytest.param("own_data", 6, marks=pytest.mark.long),
        pytest.param("performance", 8, marks=pytest.mark.long),
        pytest.param("performance_history", 8, marks=pytest.mark.long),
        pytest.param("reproducing", 12, marks=pytest.mark.long),
        pytest.param("results", 11, marks=pytest.mark.long),
        pytest.param("small_studies", 11, marks=pytest.mark.long),
        pytest.param("studies", 5, marks=pytest.mark.long),
    ],
)
def test_the_commands_of_a_document(reader, documents, stem, count):
    assert run_all(reader, documents, stem) >= count


@pytest.mark.long
def test_the_commands_of_serving(reader, documents):
    words = "tf_darts.main --mode=train --dataset=digits --genotype=darts_v2"
    reader.main(words.split())
    pathlib.Path("models").mkdir()
    pathlib.Path("models/digits").symlink_to("NAME")
    assert run_all(reader, documents, "serving") >= 4


def test_no_other_document_has_commands(documents):
    """Each is in one of the lists above, or a document of which nothing can be run."""
    stems = {
        "README",
        "add_your_own",
        "better_than_random",
        "controls",
        "gpu",
        "methods",
        "nasbench201",
        "own_data",
        "performance",
        "performance_history",
        "reproducing",
        "results",
        "small_studies",
        "studies",
        "serving",
        "which_method",
    }
    found = set()
    for parameters in documents["commands"](COMMAND):
        line = " ".join(parameters.values[0])
        if not any(re.search(pattern, line) for pattern in NOT_RUN):
            found.add(parameters.id.rpartition("-")[0])
    assert found == stems | {"quickstart"}
