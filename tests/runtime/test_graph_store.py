"""What is kept of one run serves the next of the same configuration, and no other."""

import random
import sys

import numpy as np
import pytest
import tensorflow as tf

import tf_darts
from tf_darts.bilevel.supernet_loss import SupernetLoss
from tf_darts.errors import UserError
from tf_darts.runtime import graph_store, whole_programs
from tf_darts.runtime.memory.traced import TracedMemory

SIGNATURE = (tf.TensorSpec([3]),)
X = tf.constant([1.0, 2.0, 3.0])


@pytest.fixture(autouse=True)
def a_program(monkeypatch):
    """As where a file was started, which a process of pytest's may not be."""
    monkeypatch.setattr(sys.modules["__main__"], "__file__", __file__, raising=False)


def traces(directory, configuration=None, name="square", signature=SIGNATURE):
    """How often the function is traced for two calls; its result is checked."""
    count = 0

    def square(x):
        nonlocal count
        count += 1
        return {"square": x * x}

    with graph_store.keeping(str(directory), configuration or {"layers": 8}):
        compiled = whole_programs.compiled(square, signature, name)
        for factor in (1.0, 2.0):
            np.testing.assert_array_equal(compiled(factor * X)["square"], (factor * X) ** 2)
    return count


def test_a_second_run_traces_nothing(tmp_path):
    assert [traces(tmp_path / "new" / "cache") for _ in range(2)] == [1, 0]


def test_without_a_directory_or_a_name_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [traces("") for _ in range(2)] == [1, 1]
    assert [traces(tmp_path, name="") for _ in range(2)] == [1, 1]
    assert not list(tmp_path.iterdir())


def test_another_configuration_name_signature_or_code_is_another_graph(tmp_path, monkeypatch):
    assert traces(tmp_path) == 1
    assert traces(tmp_path, {"layers": 9}) == 1
    assert traces(tmp_path, name="other") == 1
    assert traces(tmp_path, signature=(tf.TensorSpec([None]),)) == 1
    (tmp_path / "own.py").write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import own  # noqa: F401 (a module that is not installed)

    assert [traces(tmp_path) for _ in range(2)] == [1, 0]
    del sys.modules["own"]
    assert traces(tmp_path) == 0
    (tmp_path / "other.py").write_text("VALUE = 2\n")
    import other  # noqa: F401

    assert traces(tmp_path) == 1
    del sys.modules["other"]
    monkeypatch.setattr(tf, "__version__", "0.0")
    assert traces(tmp_path) == 1


def test_nothing_is_kept_of_code_that_changed_after_it_was_loaded(tmp_path, capsys, monkeypatch):
    """Else a process that loads it as it is now would compute by it as it was."""
    file, cache = tmp_path / "edited.py", tmp_path / "cache"
    file.write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import edited

    assert edited.VALUE == 1
    graph_store.check_directory(str(cache))
    file.write_text("VALUE = 2\n")
    assert traces(cache) == 1 and not cache.exists()
    assert "keeps nothing, since edited.py changed while this process" in capsys.readouterr().err
    del sys.modules["edited"]
    assert [traces(cache) for _ in range(2)] == [1, 0]


def test_a_file_that_cannot_be_read_is_made_anew(tmp_path, capsys):
    assert traces(tmp_path) == 1
    (file,) = tmp_path.glob("*.graph")
    file.write_bytes(file.read_bytes()[:40])
    assert traces(tmp_path) == 1
    assert f"{file} is made anew: it holds no graph" in capsys.readouterr().err
    assert traces(tmp_path) == 0


def test_a_run_goes_on_where_nothing_can_be_written(tmp_path, capsys, monkeypatch):
    with graph_store.keeping(str(tmp_path / "gone"), {}):
        (tmp_path / "gone").rmdir()
        compiled = whole_programs.compiled(tf.square, SIGNATURE, "square")
        np.testing.assert_array_equal(compiled(X), X * X)
    assert "--graph_cache: nothing is kept" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["file", "file/below", "~nobody1/cache"])
def test_a_directory_that_cannot_be_is_refused_before_anything_is_read(name, tmp_path):
    (tmp_path / "file").write_text("")
    directory = name if name.startswith("~") else str(tmp_path / name)
    with pytest.raises(UserError, match=r"(file is no directory|no such home directory)"):
        tf_darts.search(dataset="digits", run_dir=tmp_path / "run", graph_cache=directory)
    assert not (tmp_path / "run").exists()


def test_an_interactive_session_keeps_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.delattr(sys.modules["__main__"], "__file__")
    assert traces(tmp_path) == 1 and not list(tmp_path.iterdir())
    assert "keeps nothing in an interactive session" in capsys.readouterr().err


@pytest.mark.parametrize("known", [True, False])
def test_variables_that_it_may_read_are_those_of_the_run(known, tmp_path):
    for value in (2.0, 3.0):
        factor = tf.Variable(value)
        with graph_store.keeping(str(tmp_path), {}, [factor] if known else []):
            compiled = whole_programs.compiled(lambda x: x * factor, SIGNATURE, "multiple")  # noqa: B023
            np.testing.assert_array_equal(compiled(X), value * X)
        assert len(list(tmp_path.iterdir())) == known


def test_eagerly_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(tf.config, "functions_run_eagerly", lambda: True)
    tf.config.run_functions_eagerly(True)
    try:
        assert traces(tmp_path) == 2
    finally:
        tf.config.run_functions_eagerly(False)
    assert not list(tmp_path.iterdir())


def test_counted_memory_is_kept(tmp_path):
    def never():
        raise AssertionError

    memory = TracedMemory(7, 5, 3)
    with graph_store.keeping(str(tmp_path), {}):
        assert graph_store.counted(lambda: memory, "batch", 1) == memory
        assert graph_store.counted(never, "batch", 1) == memory
        assert graph_store.counted(lambda: None, "batch", 2) is None
    assert graph_store.counted(lambda: None, "batch", 1) is None


NASBENCH201 = {"dataset": "digits", "space": "nasbench201", "channels": 2, "cells_per_stage": 1}
NASBENCH201 |= {"operations": "skip_connect,nor_conv_1x1"}
IMAGES = {"dataset": "digits", "channels": 2, "layers": 3, "operations": "s4"}
TEXTS = {"dataset": "ptb", "units": 8, "evaluation_batch_size": 2}


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(NASBENCH201, marks=pytest.mark.slow),
        pytest.param(IMAGES, marks=pytest.mark.long),
        pytest.param(TEXTS, marks=pytest.mark.long),
    ],
)
def test_a_search_is_the_same_bit_for_bit(settings, undrawn, tmp_path, monkeypatch):
    if "units" in settings:
        draw = random.Random(0)
        for name, lines in (("train", 80), ("valid", 40), ("test", 40)):
            text = [" ".join(draw.choices("abcdefghij", k=9)) + "\n" for _ in range(lines)]
            (tmp_path / f"{name}.txt").write_text("".join(text))
        settings = settings | {"data_dir": tmp_path}
    else:
        settings = settings | {"train_examples": 40}
    small = {"epochs": 1, "steps_per_epoch": 2, "batch_size": 4}

    def searched(name, **more):
        (record,) = tf_darts.search(run_dir=tmp_path / name, **small, **settings, **more).history
        return {n: value for n, value in record.items() if n != "seconds"}

    cache = tmp_path / "cache"
    traced = searched("first", graph_cache=cache)  # as ever: what is kept is a copy
    kept = set(cache.iterdir())
    assert len(kept) >= 2

    def never(*arguments):
        raise AssertionError("nothing is traced")

    with monkeypatch.context() as patch:
        patch.setattr(SupernetLoss, "value", never)
        assert searched("second", graph_cache=cache) == traced
    assert set(cache.iterdir()) == kept
