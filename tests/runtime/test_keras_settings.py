"""Other programs' settings of Keras: none of them stops tf_darts or changes a number."""

import json
import os
import platform
import subprocess
import sys
import types

import pytest

from tf_darts.errors import UserError
from tf_darts.runtime import keras_settings

WEIGHTS = """
import tf_darts
cell = tf_darts.PUBLISHED["convolutional"]["darts_v2"]
model = tf_darts.CifarNetwork(cell, classes=3, channels=4, layers=3, auxiliary=False, seed=1)
import keras, tensorflow as tf
out = model(tf.ones([2, 8, 8, 3]))
from tensorflow.python.util._pywrap_util_port import IsMklEnabled
print(IsMklEnabled())
print(keras.config.backend(), keras.config.floatx(), keras.config.image_data_format())
print(keras.config.epsilon(), tf.keras.__version__[0], out.dtype.name, out.numpy().tolist())
"""


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """As before Keras is imported, with a home of its own; a function that writes its file."""
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)

    def write(content):
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "keras.json").write_text(text)

    return write


def test_the_environment_is_ours(fresh, tmp_path, caplog):
    fresh({"backend": "theano", "floatx": "float32", "image_data_format": "channels_last"})
    keras_settings.apply()
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    assert os.environ["TF_USE_LEGACY_KERAS"] == "0"
    assert os.environ["KERAS_HOME"] == str(tmp_path) and not caplog.records


@pytest.mark.parametrize(
    ("machine", "said", "imported", "result"),
    [
        ("x86_64", None, False, "1"),
        ("AMD64", None, False, "1"),
        ("x86_64", "0", False, "0"),
        ("x86_64", None, True, None),
        ("aarch64", None, False, None),
    ],
)
def test_on_intel_s_kind_of_processor_onednn_is_asked_for(
    fresh, monkeypatch, machine, said, imported, result
):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    if not imported:
        monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    if said is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", said)
    keras_settings.apply()
    assert os.environ.get("TF_ENABLE_ONEDNN_OPTS") == result


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"floatx": "float16"}, "floatx float16"),
        ({"floatx": "bfloat16"}, "floatx bfloat16"),
        ({"image_data_format": "channels_first"}, "image_data_format channels_first"),
        ({"epsilon": 1e-3}, "epsilon 0.001"),
        ({"epsilon": 1e-7, "floatx": 7}, "floatx 7"),
        ([], "no JSON object"),
    ],
)
def test_a_file_that_would_change_numbers_is_passed_over_and_named(
    fresh, tmp_path, caplog, content, words
):
    fresh(content)
    keras_settings.apply()
    home = os.environ["KERAS_HOME"]
    assert home == str(tmp_path / "tf_darts") and not list((tmp_path / "tf_darts").iterdir())
    assert words in caplog.text and str(tmp_path / "keras.json") in caplog.text
    assert json.loads((tmp_path / "keras.json").read_text()) == content, "it is left as it is"
    os.environ["KERAS_HOME"] = str(tmp_path)
    keras_settings.apply()
    assert os.environ["KERAS_HOME"] == home, "as in a second process"


def test_no_file_and_one_that_keras_passes_over(fresh, tmp_path, caplog):
    keras_settings.apply()
    fresh("{")
    keras_settings.apply()
    assert os.environ["KERAS_HOME"] == str(tmp_path) and not caplog.records


def test_keras_on_another_backend_is_refused(monkeypatch):
    keras = types.SimpleNamespace(backend=types.SimpleNamespace(backend=lambda: "jax"))
    monkeypatch.setitem(sys.modules, "keras", keras)
    with pytest.raises(UserError, match=r"imported it on jax already; unset KERAS_BACKEND"):
        keras_settings.apply()


@pytest.mark.slow
def test_in_processes_of_their_own(tmp_path):
    def weights(**environment):
        done = subprocess.run(
            [sys.executable, "-c", WEIGHTS],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines(), done.stderr

    plain, _ = weights(KERAS_HOME=str(tmp_path / "none"))
    assert plain[:2] == [str(platform.machine() == "x86_64"), "tensorflow float32 channels_last"]
    (tmp_path / "keras.json").write_text(
        '{"floatx": "float16", "epsilon": 0.1, "backend": "theano",'
        ' "image_data_format": "channels_first"}'
    )
    odd, err = weights(KERAS_HOME=str(tmp_path), KERAS_BACKEND="torch", TF_USE_LEGACY_KERAS="1")
    assert odd == plain
    assert err.count("keras.json is not used, since it has floatx float16, epsilon 0.1") == 1
