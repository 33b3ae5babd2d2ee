"""The real command: train, export in each format, ask.

Most is run in this process (tests/support/in_process.py); what is exported is checked by the
command in a process of its own all the same.
"""

import functools
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.support import in_process
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

SMALL = {
    "pydoc": [
        *("--units=8", "--batch_size=8", "--bptt=8", "--epochs=3", "--steps_per_epoch=4"),
        *("--evaluation_batch_size=400", "--averaging_patience=1", "--learning_rate=1"),
    ],
    "digits": [
        *("--channels=2", "--layers=3", "--batch_size=16", "--epochs=1", "--steps_per_epoch=4"),
        "--train_examples=160",
    ],
}

# What the formats that are no SavedModels need.
EXTRAS = {"litert": ["ai_edge_litert"], "onnx": ["onnxruntime", "tf2onnx"]}


def run_alone(*arguments):
    """Runs a program in a process of its own; returns its status, output and error output."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    return done.returncode, done.stdout, done.stderr


def command(**settings):
    flags = (f"--{name}={value}" for name, value in settings.items())
    return in_process.run(in_process.MAIN, *flags)


def ask(folder, *arguments):
    return in_process.run("tools/answer_request.py", f"--export_dir={folder}", *arguments)


def asked(folder, request):
    status, out, err = ask(folder, f"--request={json.dumps(request)}")
    assert status == 0, err
    return json.loads(out)["predictions"]


def trained_and_exported(tmp_path, dataset):
    done = in_process.run(
        *(in_process.MAIN, "--mode=train", "--genotype=darts_v2", f"--dataset={dataset}"),
        *(f"--run_dir={tmp_path / 'run'}", *SMALL[dataset]),
        eagerly=True,
    )
    assert done[0] == 0, done[2]
    folder = tmp_path / "models" / dataset
    status, out, err = command(mode="export", run_dir=tmp_path / "run", export_dir=folder)
    assert status == 0, err
    assert f"Exported and checked: {folder / '1'};" in out and "reading" not in out
    return folder


@pytest.mark.slow
def test_a_language_model(tmp_path):
    folder = trained_and_exported(tmp_path, "pydoc")
    card = json.loads((folder / "1" / "model_card.json").read_text())
    vocabulary = (folder / "1" / "assets" / "vocabulary.txt").read_text().splitlines()
    assert len(vocabulary) == card["data"]["vocabulary"] == card["client"]["words"]
    assert card["weights"].startswith("averaged") == card["training"]["averaged"]
    row = {"prompt": "the", "length": 5, "temperature": 1, "top_k": 0, "seed": 1}
    (found,) = asked(folder, {"signature_name": "generate", "instances": [row]})
    assert len(found["tokens"]) == 5
    assert all(word in vocabulary for word in found["text"].split())
    (found,) = asked(folder, {"signature_name": "score_text", "instances": ["the function"]})
    assert found["words"][-1] == "<eos>" and found["perplexity"] > 1
    # A number is taken once only.
    settings = {
        "mode": "export",
        "run_dir": tmp_path / "run",
        "export_dir": folder,
        "export_version": 1,
    }
    status, out, err = command(**settings)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith("tf_darts: --export_version=1: ")
    # Other formats are for images.
    status, out, err = command(**settings | {"export_version": 8, "format": "litert"})
    assert (status, out) == (2, "")
    assert "litert and onnx are for image classifiers" in err.splitlines()[-1]
    assert sorted(path.name for path in folder.iterdir()) == ["1"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The folder of a training (`run`) and of its SavedModel (`models/digits`)."""
    folder = tmp_path_factory.mktemp("digits")
    trained_and_exported(folder, "digits")
    return folder


@pytest.mark.slow
def test_an_image_classifier(digits, tmp_path):
    folder = digits / "models" / "digits"
    labels = (folder / "1" / "assets" / "labels.txt").read_text().split()
    assert labels == list("0123456789")
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8)).astype(np.uint8)
    (found,) = asked(folder, {"instances": [pixels[..., None].tolist()]})
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    status, out, err = ask(folder, f"--image={tmp_path / 'picture.png'}")
    assert status == 0, err
    (answered,) = json.loads(out)["predictions"]
    assert answered.keys() == found.keys()
    for name, value in found.items():
        # Two graphs: they may round the last bit differently.
        same = value if name == "top_labels" else pytest.approx(value, rel=1e-5)
        assert answered[name] == same
    assert found["top_labels"] == [labels[i] for i in np.argsort(found["probabilities"])[:-6:-1]]


def litert_answers(folder, images):
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(folder / "model_float32.tflite")).get_signature_runner()
    return np.concatenate([runner(images=image[None])["probabilities"] for image in images])


def onnx_answers(folder, images):
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "model.onnx")
    return session.run(["probabilities"], {"images": images})[0]


@pytest.fixture(scope="module")
def in_format(digits):
    """A function that exports the digits in a format, once: the directory and what was printed."""

    @functools.cache
    def exported(form):
        for module in EXTRAS[form]:
            pytest.importorskip(module, reason=f"the optional extra {form} is not installed")
        folder = digits / "models" / form
        status, out, err = command(
            mode="export", run_dir=digits / "run", export_dir=folder, format=form
        )
        assert status == 0, err
        assert f"Exported and checked: {folder / '1'};" in out
        return folder, out

    return exported


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "answers", "files", "said"),
    [
        (
            "litert",
            litert_answers,
            ["model_float16.tflite", "model_float32.tflite", "model_int8.tflite"],
            r"float32: [\d,]+ bytes, the same likeliest class for 100.0 % of",
        ),
        ("onnx", onnx_answers, ["model.onnx"], "what it is: .*model_card.md"),
    ],
    ids=EXTRAS,
)
def test_small_devices_and_elsewhere(digits, in_format, form, answers, files, said):
    folder, out = in_format(form)
    assert re.search(said, out)
    written = {path.name for path in (folder / "1").iterdir()}
    assert written == {"labels.txt", "model_card.json", "model_card.md", *files}
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1)).astype(np.uint8)
    served = tf.saved_model.load(str(digits / "models" / "digits" / "1"))
    expected = served.signatures["serving_default"](tf.constant(images))["probabilities"]
    found = answers(folder / "1", images.astype(np.float32))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.long
def test_exports_side_by_side(digits, in_format):
    folders = [digits / "models" / "digits", *(in_format(form)[0] for form in EXTRAS)]
    status, out, err = run_alone(
        *("tools/measure_exports.py", f"--run_dir={digits / 'run'}", "--images=150"),
        f"--exports={','.join(map(str, folders))}",
    )
    assert status == 0, err
    lines = {line["model"]: line for line in map(json.loads, out.splitlines())}
    litert = [f"litert {precision}" for precision in ("float32", "float16", "int8")]
    assert list(lines) == ["saved_model", *litert, "onnx"]
    for line in lines.values():
        assert line["images"] == 150 and 0 < line["median_ms"] <= line["p95_ms"]
    for name in ("litert float32", "onnx"):
        assert lines[name]["same_likeliest"] == 100 and lines[name]["largest_difference"] < 1e-4
    # Of another precision, so of other answers: it is not the first model that was asked again.
    assert lines["litert int8"]["largest_difference"] > 1e-4
    file = folders[1] / "1" / "model_int8.tflite"
    assert lines["litert int8"]["bytes"] == file.stat().st_size
    assert lines["saved_model"]["bytes"] > (folders[0] / "1" / "saved_model.pb").stat().st_size


@pytest.mark.slow
def test_what_cannot_be_exported(tmp_path):
    status, _, err = command(mode="export", run_dir=tmp_path / "no", export_dir=tmp_path / "out")
    assert status == 2 and "has no run in it" in err and not (tmp_path / "out").exists()
    status, out, err = run_alone(
        "tools/answer_request.py", f"--export_dir={tmp_path}", '--request={"inputs": 1}'
    )
    assert (status, out) == (2, "")
    assert "has no exported SavedModel" in in_process.sentence(err, "answer_request")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Give either --request=JSON or --image=FILE."),
        (["--request={}", "--image=x.png"], "Give either"),
        (["--request={"], "--request is not JSON"),
        ([f"--request={'[' * 100_000}"], "--request is not JSON"),
        (["--image=none.png"], "none.png: cannot be read (No such file or directory)"),
        (["--request={}", "more"], "'more' is not a flag"),
    ],
)
def test_what_cannot_be_asked(tmp_path, arguments, words):
    status, out, err = ask(tmp_path, *arguments)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith("answer_request: ") and words in err.splitlines()[-1]
