"""The real command in processes of its own: train, export, ask."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[1]
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


def run(*arguments):
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
    return run("-m", "tf_darts.main", *(f"--{name}={value}" for name, value in settings.items()))


def asked(folder, request):
    status, out, err = run(
        "tools/answer_request.py", f"--export_dir={folder}", f"--request={json.dumps(request)}"
    )
    assert status == 0, err
    return json.loads(out)["predictions"]


def trained_and_exported(tmp_path, dataset):
    done = run(
        *("-m", "tf_darts.main", "--mode=train", "--genotype=darts_v2", f"--dataset={dataset}"),
        *(f"--run_dir={tmp_path / 'run'}", *SMALL[dataset]),
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
    # A second one beside it, by its own number; that number once only.
    settings = {"mode": "export", "run_dir": tmp_path / "run", "export_dir": folder, "version": 7}
    assert command(**settings)[0] == 0
    assert sorted(path.name for path in folder.iterdir()) == ["1", "7"]
    status, out, err = command(**settings)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith("tf_darts: --version=7: ")


@pytest.mark.slow
def test_an_image_classifier(tmp_path):
    folder = trained_and_exported(tmp_path, "digits")
    labels = (folder / "1" / "assets" / "labels.txt").read_text().split()
    assert labels == list("0123456789")
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8)).astype(np.uint8)
    (found,) = asked(folder, {"instances": [pixels[..., None].tolist()]})
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    status, out, err = run(
        "tools/answer_request.py", f"--export_dir={folder}", f"--image={tmp_path / 'picture.png'}"
    )
    assert status == 0, err
    assert json.loads(out)["predictions"] == [found]
    assert found["top_labels"] == [labels[i] for i in np.argsort(found["probabilities"])[:-6:-1]]


@pytest.mark.slow
def test_what_cannot_be_exported(tmp_path):
    status, _, err = command(mode="export", run_dir=tmp_path / "no", export_dir=tmp_path / "out")
    assert status == 2 and "has no run in it" in err and not (tmp_path / "out").exists()
    status, _, err = run(
        "tools/answer_request.py", f"--export_dir={tmp_path}", '--request={"inputs": 1}'
    )[:3]
    assert status == 2 and "has no exported version" in err
