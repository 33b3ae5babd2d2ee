"""Official state dicts become finished trainings; made here from golden files and from our own."""

import contextlib
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.cells.published import PUBLISHED
from tf_darts.errors import StorageError, UserError
from tf_darts.formats.official_weights import (
    image_network_official_names,
    language_model_official_names,
)
from tf_darts.runs.official import import_official
from tf_darts.spaces.convolutional.derived.objective import CifarNetwork, ImageClassification
from tf_darts.spaces.recurrent.derived.objective import LanguageModel, NextWordPrediction
from tf_darts.training.finished import FinishedTraining


def cifar_state(cell="darts_v2", auxiliary=True):
    model = CifarNetwork(
        PUBLISHED["convolutional"][cell], 10, channels=4, layers=3, auxiliary=auxiliary, seed=1
    )
    model.build((None, 32, 32, 3))
    state = {
        name: weight.to_official(weight.variable.numpy())
        for name, weight in image_network_official_names(model).items()
    }
    return model, state | {"stem.1.num_batches_tracked": np.int64(7)}


def ptb_state():
    model = LanguageModel(PUBLISHED["recurrent"]["darts_v1"], words=30, units=6, seed=1)
    model.build()
    state = {
        name: weight.to_official(weight.variable.numpy())
        for name, weight in language_model_official_names(model).items()
    }
    return model, state | {"decoder.weight": state["encoder.weight"]}


def restored(path, network):
    training = FinishedTraining.open(str(path))
    with contextlib.closing(training.run):
        training.restore(network)
        return training


@pytest.mark.parametrize("auxiliary", [True, False])
def test_an_image_network(tmp_path, auxiliary):
    model, state = cifar_state(auxiliary=auxiliary)
    overrides = {"dataset": "cifar10", "genotype": "darts_v2", "run_dir": str(tmp_path / "run")}
    import_official(state, "x.pt", overrides).close()
    other = CifarNetwork(
        PUBLISHED["convolutional"]["darts_v2"], 10, channels=4, layers=3, auxiliary=auxiliary
    )
    training = restored(tmp_path / "run", ImageClassification(other, (32, 32, 3)))
    images = tf.random.stateless_normal([2, 32, 32, 3], [1, 2])
    np.testing.assert_array_equal(other(images), model(images))
    assert (training.settings["channels"], training.settings["layers"]) == (4, 3)
    assert training.settings["train_on_all"] and training.result["imported_from"] == "x.pt"
    assert (training.settings["auxiliary_weight"] > 0) == auxiliary


def test_a_language_model(tmp_path):
    model, state = ptb_state()
    overrides = {"dataset": "ptb", "genotype": "darts_v1", "run_dir": str(tmp_path / "run")}
    import_official(state, "x.pt", overrides).close()
    other = LanguageModel(PUBLISHED["recurrent"]["darts_v1"], words=30, units=6)
    training = restored(tmp_path / "run", NextWordPrediction(other))
    text = tf.constant([[1, 2], [3, 4]])
    np.testing.assert_array_equal(
        other(text, tf.zeros([2, 6]))[0], model(text, tf.zeros([2, 6]))[0]
    )
    assert training.settings["units"] == 6


@pytest.mark.parametrize("name", ["cifar_network", "imagenet_network"])
def test_golden_state_dicts(tmp_path, load_golden, name):
    golden = load_golden(name)
    state = {
        key.split("/", 1)[1]: value.astype(np.float32)
        for key, value in golden.items()
        if key.startswith(("param/", "buffer/"))
    }
    dataset = {"cifar_network": "cifar10", "imagenet_network": "imagenet2012"}[name]
    overrides = {"dataset": dataset, "genotype": "darts_v2", "run_dir": str(tmp_path / "run")}
    import_official(state, name, overrides).close()
    training = FinishedTraining.open(str(tmp_path / "run"))
    training.run.close()
    assert (training.settings["channels"], training.settings["layers"]) == (8, 8)


@pytest.mark.parametrize(
    ("change", "overrides", "words"),
    [
        ({}, {"genotype": "darts_v1"}, "give the (cell|--genotype)"),
        ({"stem.0.weight": None}, {}, "neither a language model's"),
        ({"classifier.weight": None}, {}, "has no 'classifier.weight'"),
        ({"cells.0._ops.0.op.99.weight": np.zeros(3)}, {}, "--genotype that it was trained with"),
        ({}, {"dataset": "ptb"}, "has no meaning|needs the weights of a language model"),
    ],
)
def test_state_dicts_that_do_not_fit(tmp_path, change, overrides, words):
    _, state = cifar_state()
    state = {k: v for k, v in (state | change).items() if v is not None}
    given = {"dataset": "cifar10", "genotype": "darts_v2", "run_dir": str(tmp_path / "run")}
    with pytest.raises(UserError, match=words):
        import_official(state, "x.pt", given | overrides)
    assert not (tmp_path / "run").exists()


def test_an_untied_decoder(tmp_path):
    _, state = ptb_state()
    state["decoder.weight"] = state["decoder.weight"] + 1
    given = {"dataset": "ptb", "genotype": "darts_v1", "run_dir": str(tmp_path / "run")}
    with pytest.raises(UserError, match="to be tied"):
        import_official(state, "x.pt", given)


def test_a_run_is_not_overwritten(tmp_path):
    _, state = cifar_state()
    given = {"dataset": "cifar10", "genotype": "darts_v2", "run_dir": str(tmp_path / "run")}
    import_official(state, "x.pt", given).close()
    before = json.loads((tmp_path / "run" / "result.json").read_text())
    with pytest.raises(UserError, match="there is a run already"):
        import_official(state, "y.pt", given)
    assert json.loads((tmp_path / "run" / "result.json").read_text()) == before


def _mutated(state, random):
    """A state dict with something wrong in one or two tensors."""
    state = dict(state)
    for name in map(str, random.choice(sorted(state), random.integers(1, 3), replace=False)):
        value = state.pop(name)
        kind = random.integers(7)
        if kind == 0:
            state[f"{name}.more"] = value
        if kind == 1:
            state[name] = value[..., np.newaxis]
        if kind == 2:
            state[name] = value.ravel()[:1].reshape(())
        if kind == 3:
            state[name] = value[:0] if value.ndim else np.zeros(0, value.dtype)
        if kind == 4:
            state[name] = np.concatenate([value, value]) if value.ndim else value
        if kind == 5:
            state[name.replace("0", "999999999", 1)] = value
        # 6: it is missing
    return state


# What the sizes of a network are taken from.
FIRST = {
    "cifar10": [
        "stem.0.weight",
        "classifier.bias",
        "classifier.weight",
        "cells.2.preprocess0.op.1",
    ],
    "ptb": ["encoder.weight", "decoder.bias", "decoder.weight", "rnns.0._W0"],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "genotype", "count"),
    [pytest.param("cifar10", "darts_v2", 80, marks=pytest.mark.long), ("ptb", "darts_v1", 100)],
)
def test_mutated_state_dicts(tmp_path, dataset, genotype, count):
    """Each is imported whole or refused by a sentence, with nothing written."""
    _, state = cifar_state() if dataset == "cifar10" else ptb_state()
    state = {name: np.asarray(value) for name, value in state.items()}
    random, refused = np.random.default_rng(0), 0
    for number in range(count):
        # In half of them only what the sizes come from, which is read before the network is made.
        few = {n: v for n, v in state.items() if number % 2 and n.startswith(tuple(FIRST[dataset]))}
        changed = {n: v for n, v in state.items() if n not in few} | _mutated(few or state, random)
        run = tmp_path / str(number)
        given = {"dataset": dataset, "genotype": genotype, "run_dir": str(run)}
        try:
            import_official(changed, "x.pt", given).close()
            assert (run / "result.json").exists()
        except UserError as error:
            assert str(error).endswith(".") and "\n" not in str(error) and not run.exists()
            refused += 1
    assert refused > count / 2


@pytest.mark.parametrize(
    ("dataset", "changes", "words"),
    [
        ("cifar10", {"stem.0.weight": np.ones([])}, r"x.pt: 'stem.0.weight' has shape \(\)"),
        ("cifar10", {"stem.0.weight": np.ones([0, 3, 3, 3])}, "which no network has"),
        ("cifar10", {"stem.0.weight": np.ones([2, 3, 3, 3])}, "channels"),
        ("cifar10", {"classifier.bias": None}, "x.pt has no 'classifier.bias'"),
        ("cifar10", {"classifier.bias": np.ones([])}, "'classifier.bias' has shape"),
        ("cifar10", {"cells.99999999.x": np.ones(1)}, "has no 'cells.3.' among its cells"),
        ("ptb", {"encoder.weight": np.ones(3)}, "'encoder.weight' has shape"),
        ("ptb", {"encoder.weight": np.ones([0, 6])}, "'encoder.weight' has shape"),
        ("ptb", {"encoder.weight": np.ones([30, 7])}, "x.pt: '.*' has shape"),
    ],
)
def test_sizes_that_cannot_be(tmp_path, dataset, changes, words):
    _, state = cifar_state() if dataset == "cifar10" else ptb_state()
    state = {n: v for n, v in (state | changes).items() if v is not None}
    genotype = "darts_v2" if dataset == "cifar10" else "darts_v1"
    given = {"dataset": dataset, "genotype": genotype, "run_dir": str(tmp_path / "run")}
    with pytest.raises(UserError, match=words):
        import_official(state, "x.pt", given)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("there", [False, True])
def test_an_import_that_cannot_be_written(tmp_path, monkeypatch, there):
    _, state = ptb_state()
    given = {"dataset": "ptb", "genotype": "darts_v1", "run_dir": str(tmp_path / "run")}
    if there:
        (tmp_path / "run").mkdir()

    def full(*arguments, **named):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(tf.train.CheckpointManager, "save", full)
        with pytest.raises(StorageError, match=r"cannot be written .*No space left.*; make"):
            import_official(state, "x.pt", given)
    assert (tmp_path / "run").exists() == there and not list(tmp_path.rglob("*.json"))
    import_official(state, "x.pt", given).close()  # there is room now


def _tool(*arguments):
    return subprocess.run(
        [sys.executable, "tools/import_official_weights.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_tool(tmp_path):
    torch = pytest.importorskip("torch", reason="the optional extra torch is not installed")
    _, state = cifar_state()
    torch.save({k: torch.as_tensor(v) for k, v in state.items()}, tmp_path / "x.pt")
    torch.save(object, tmp_path / "evil.pt")
    given = ["--dataset=cifar10", "--genotype=darts_v2", f"--run_dir={tmp_path / 'run'}"]
    refused = _tool(f"--weights={tmp_path / 'evil.pt'}", *given)
    assert refused.returncode == 2 and "no plain state dict" in refused.stderr
    done = _tool(f"--weights={tmp_path / 'x.pt'}", *given)
    assert done.returncode == 0, done.stderr
    assert "--mode=test" in done.stdout and (tmp_path / "run" / "result.json").exists()
