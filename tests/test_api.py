"""What `import tf_darts` gives."""

import ast
import pathlib
import pkgutil
import subprocess
import sys

import pytest
import tensorflow as tf

import tf_darts
from tf_darts import api
from tf_darts.runtime.devices import device_line

IMPORTS = """
import sys, time

def cost(*modules):
    start = time.process_time()
    for module in modules:
        __import__(module)
    return time.process_time() - start

own = cost("tf_darts")
assert "tensorflow" not in sys.modules
print(own, cost("tensorflow", "keras"))
"""
SMALL_TEXT = {"units": 8, "batch_size": 8, "bptt": 6, "epochs": 1, "steps_per_epoch": 2}


def python(program):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def test_importing_it_is_quiet():
    done = python("import tf_darts")
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.slow
def test_importing_it_costs_a_tenth_of_tensorflow_and_keras_at_most():
    own, others = map(float, python(IMPORTS).stdout.split())
    assert own < 0.1 * others


def test_every_public_name_is_there_and_documented():
    assert len(set(tf_darts.__all__)) == len(tf_darts.__all__)
    assert set(tf_darts.__all__) < set(dir(tf_darts))
    for name in tf_darts.__all__:
        value = getattr(tf_darts, name)
        assert value.__doc__ or not callable(value), name


def test_type_checkers_know_the_same_names():
    stub = pathlib.Path(tf_darts.__file__).with_name("__init__.pyi").read_text(encoding="utf-8")
    imports = [node for node in ast.parse(stub).body if isinstance(node, ast.ImportFrom)]
    told = [(node.module, alias) for node in imports for alias in node.names]
    assert all(alias.name == alias.asname for _, alias in told)  # else it is no name of ours
    assert {(module, alias.name) for module, alias in told} == {
        (module, name) for module, names in tf_darts._PUBLIC.items() for name in names
    }


def test_other_names_are_not():
    with pytest.raises(AttributeError, match=r"'tf_darts' has no attribute 'serach'"):
        tf_darts.serach  # noqa: B018


def test_no_public_name_is_a_package_s():
    rooms = {module.name for module in pkgutil.iter_modules(tf_darts.__path__)}
    assert {"bilevel", "formats", "api"} < rooms
    assert not rooms & set(tf_darts.__all__)


def test_an_old_name_is_read_for_one_version_more():
    with pytest.warns(
        DeprecationWarning, match=r"tf_darts\.Network is tf_darts\.TrainingObjective"
    ):
        assert tf_darts.Network is tf_darts.TrainingObjective


@pytest.mark.parametrize("call", [tf_darts.search, tf_darts.select])
def test_the_mode_is_the_functions(call):
    with pytest.raises(tf_darts.UserError, match=r"mode='export': this function is for .*leave it"):
        call(mode="export", dataset="digits")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "no --dataset given"),
        ({"dataset": "digits", "channels": "4"}, "--channels='4': it must be a whole number"),
        ({"dataset": "digits", "flip": 1}, "--flip=1: it must be true or false"),
        ({"dataset": "digits", "seed": True}, "--seed=True: it must be a whole number"),
        ({"dataset": "digits", "units": 4}, "--units has no meaning .* for searches on texts"),
        (
            {"dataset": "digits", "space": "nasbench201", "layers": 3},
            "--layers has no meaning for --mode=search --dataset=digits --space=nasbench201; it is",
        ),
        ({"dataset": "digits", "colour": 4}, "--colour is no setting"),
    ],
)
def test_wrong_settings(settings, sentence, tmp_path):
    with pytest.raises(tf_darts.UserError, match=sentence):
        tf_darts.search(run_dir=tmp_path / "run", **settings)
    assert not list(tmp_path.iterdir())


def test_it_is_said_on_what_is_computed(capsys):
    api._configured("search", {"dataset": "digits"})
    assert capsys.readouterr().out == f"{device_line()}\n"
    api._configured("export", {"run_dir": "runs/trained", "export_dir": "models"})
    assert capsys.readouterr().out == ""


def test_a_cell_of_another_space():
    cell = tf_darts.PUBLISHED["recurrent"]["darts_v2"]
    with pytest.raises(tf_darts.UserError, match=r"darts_v2: a recurrent cell; --dataset=digits"):
        tf_darts.train(cell, dataset="digits")
    other = tf_darts.RecurrentGenotype((("tanh", 0),), (1,))
    with pytest.raises(tf_darts.UserError, match=r"cell_[0-9a-f]{8}: a recurrent cell"):
        tf_darts.train(other, dataset="digits")


def test_a_cell_is_loaded_by_a_file_or_by_a_name(tmp_path):
    enas = tf_darts.PUBLISHED["recurrent"]["enas"]
    assert tf_darts.load_genotype("enas") == enas
    tf_darts.save_genotype(tmp_path / "cell.json", enas)
    assert tf_darts.load_genotype(tmp_path / "cell.json") == enas
    words = r"darts_v2: is a cell of the spaces convolutional and recurrent; take one of them as"
    with pytest.raises(tf_darts.UserError, match=words):
        tf_darts.load_genotype("darts_v2")
    with pytest.raises(tf_darts.UserError, match="darts_v9: cannot be read"):
        tf_darts.load_genotype("darts_v9")


@pytest.mark.long
def test_from_a_selection_to_a_served_model(tmp_path, eagerly):
    folder = tmp_path / "selection"
    found = tf_darts.select(
        dataset="pydoc",
        run_dir=folder,
        candidates=["random", "darts_v1"],
        count=1,
        train_settings=SMALL_TEXT | {"evaluation_batch_size": 400},
    )
    tf.config.run_functions_eagerly(False)  # for the export, which is all about graphs
    best = found.ranking["candidates"][0]
    assert found.path == folder and found.cell.to_dict() == best["genotype"]
    assert tf_darts.load_genotype(folder / "genotype.json") == found.cell
    run = folder / "candidates" / best["name"] / "train"
    exported = tf_darts.export(run, tmp_path / "models")
    assert exported.path == tmp_path / "models" / "1"
    assert (exported.path / "saved_model.pb").exists()
