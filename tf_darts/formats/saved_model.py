"""SavedModels in TF Serving's layout, checked before they are there."""

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_darts.errors import StorageError, UserError
from tf_darts.formats import saved_model_check
from tf_darts.formats.model_card import write_card
from tf_darts.formats.serving_model import ServingModel, Signature
from tf_darts.formats.versions import NewVersion, storing
from tf_darts.formats.warmup import WARMUP_FILE, prediction_log
from tf_darts.runtime.busy import busy
from tf_darts.runtime.files import exists


def write_version(
    served: ServingModel,
    live: ServingModel,
    card: Mapping[str, Any],
    version: NewVersion,
) -> None:
    """Writes a version with warm-up requests and model card, and checks it.

    Args:
      served: what is written.
      live: the trained network, which must give the same answers.
      card: what the model card says, as JSON types; see `write_card`.
      version: where it is written.

    Raises:
      StorageError: it cannot be written.
      UserError: the written model, in a process that has no tf_darts, does not answer as the live
        one does.
    """
    with busy("Asking the network for what the exported one must answer"):
        signatures = served.signatures()
        answers = {name: _answers(signature) for name, signature in live.signatures().items()}
    concrete = {name: signature.concrete for name, signature in signatures.items()}
    described = {name: signature.description for name, signature in signatures.items()}
    folder = version.folder
    with storing(folder), busy("Writing the SavedModel"):
        tf.saved_model.save(served, os.fspath(folder), signatures=concrete)
        (folder / "assets.extra").mkdir()
        examples = json.dumps(answers, indent=1) + "\n"
        (folder / saved_model_check.EXAMPLES_FILE).write_text(examples, encoding="utf-8")
        _write_warmup(folder / WARMUP_FILE, signatures)
    write_card(folder, dict(card) | {"version": version.number, "signatures": described})
    with busy("Checking it in a process that has TensorFlow alone"):
        _check(folder)


def _answers(signature: Signature) -> list[dict[str, Any]]:
    """Each example request of a signature with its answer, as `saved_model_check` reads them."""
    examples, answer = [], signature.concrete
    for request in signature.examples:
        inputs = signature.tensors(request)
        sides = {"inputs": inputs, "outputs": answer(**inputs)}
        examples.append(
            {
                side: {name: saved_model_check.encoded(tensor) for name, tensor in tensors.items()}
                for side, tensors in sides.items()
            }
        )
    return examples


def _write_warmup(path: pathlib.Path, signatures: Mapping[str, Signature]) -> None:
    with tf.io.TFRecordWriter(os.fspath(path)) as writer:
        for name, signature in signatures.items():
            for request in signature.examples:
                writer.write(prediction_log(name, signature.tensors(request)))


def _check(folder: pathlib.Path) -> None:
    """Raises `UserError` unless a fresh process gets the stored answers from a SavedModel."""
    # -I: neither the current folder nor PYTHONPATH nor the user's own packages.
    command = [sys.executable, "-I", saved_model_check.__file__, os.fspath(folder)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode == 0:
        return
    if not exists(folder):
        raise StorageError(
            f"{folder.parents[1]}: what was written there is gone (somebody removed it while it was"
            " checked); repeat the command."
        )
    lines = (process.stdout.strip() or process.stderr.strip()).splitlines() or ["it died"]
    reason = "; ".join(lines) if process.stdout.strip() else lines[-1]
    raise UserError(
        "The exported model, loaded with TensorFlow alone, does not answer as the trained one does"
        f" ({reason}); nothing was exported. Please report this with the run's config.json."
    )
