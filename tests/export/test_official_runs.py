"""Official state dicts become finished trainings; made here from golden files and from our own."""

import contextlib
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.export.official_runs import import_official
from tf_darts.export.official_weights import (
    image_network_official_names,
    language_model_official_names,
)
from tf_darts.published_cells import PUBLISHED
from tf_darts.spaces.convolutional.network import CifarNetwork, ImageNetwork
from tf_darts.spaces.recurrent.network import LanguageModel, RecurrentNetwork
from tf_darts.training.testing import FinishedTraining


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
    training = restored(tmp_path / "run", ImageNetwork(other, (32, 32, 3)))
    images = tf.random.stateless_normal([2, 32, 32, 3], [1, 2])
    np.testing.assert_array_equal(other(images), model(images))
    assert (training.settings["channels"], training.settings["layers"]) == (4, 3)
    assert training.settings["final"] and training.result["imported_from"] == "x.pt"
    assert (training.settings["auxiliary_weight"] > 0) == auxiliary


def test_a_language_model(tmp_path):
    model, state = ptb_state()
    overrides = {"dataset": "ptb", "genotype": "darts_v1", "run_dir": str(tmp_path / "run")}
    import_official(state, "x.pt", overrides).close()
    other = LanguageModel(PUBLISHED["recurrent"]["darts_v1"], words=30, units=6)
    training = restored(tmp_path / "run", RecurrentNetwork(other))
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
        ({}, {"genotype": "darts_v1"}, "of another (size|network|cell)"),
        ({"stem.0.weight": None}, {}, "neither a language model's"),
        ({"classifier.weight": None}, {}, "has no 'classifier.weight'"),
        ({"cells.0._ops.0.op.99.weight": np.zeros(3)}, {}, "it is of another cell"),
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
