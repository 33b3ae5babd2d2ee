"""Measures exported image networks side by side; prints one JSON line for each model.

    python tools/measure_exports.py --run_dir=RUN --exports=models/NAME,models/NAME_litert

RUN is the training that was exported. Each directory of `--exports` is a version or holds versions,
of which the highest counts. Every model is asked the same validation images of RUN's data, which it
did not learn from, one image at a time, and compared with the first model, best a SavedModel.

In a line: `bytes` of the model's files, `median_ms` and `p95_ms` of a call (half of
them, and 95 of 100, were faster), `accuracy` in per cent,
`same_likeliest` as the first model in per cent, `largest_difference` of a probability from its own,
and of LiteRT's models whether they run `with_xnnpack`.
"""
# ruff: noqa: E402 (TensorFlow is loaded before what imports it)

import json
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

# The code beside this tool, whether or not (another) tf_darts is installed.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from tf_darts.runtime import start_up

start_up.load_tensorflow()  # without its chatter

import numpy as np
import tensorflow as tf
from absl import flags, logging

from tf_darts.cells.space import IMAGES, find_space
from tf_darts.cli import program
from tf_darts.config.recorded import training_class
from tf_darts.errors import UserError
from tf_darts.formats import litert
from tf_darts.formats.onnx_model import ONNX_FILE
from tf_darts.runs.training_tasks import training_task
from tf_darts.training.finished import FinishedTraining

FLAGS = flags.FLAGS
flags.DEFINE_string("run_dir", None, "the training that was exported", required=True)
flags.DEFINE_list("exports", None, "directories of exported versions", required=True)
flags.DEFINE_string("data_dir", "", "where the training's data are, as for --mode=train")
flags.DEFINE_integer("images", 1000, "validation images to ask, at most", lower_bound=1)
flags.DEFINE_integer("threads", 1, "threads of every model", lower_bound=1)
_WARMUP = 10  # calls before the first timed one


class Model(NamedTuple):
    """An exported model.

    Attributes:
      about: what its line begins with.
      files: what it consists of.
      answer: from uint8 pixels [1, height, width, channels] to probabilities [1, classes].
    """

    about: dict[str, Any]
    files: list[pathlib.Path]
    answer: Callable[[np.ndarray], np.ndarray]


def _saved_model(folder: pathlib.Path) -> Model:
    loaded = tf.saved_model.load(str(folder))
    function = loaded.signatures["serving_default"]

    def answer(images: np.ndarray, keep: Any = loaded) -> np.ndarray:
        del keep  # its variables live as long as this function does
        return function(images=tf.constant(images))["probabilities"].numpy()

    files = [folder / "saved_model.pb", *folder.glob("variables/*")]
    return Model({"model": "saved_model"}, files, answer)


def _litert(file: pathlib.Path, threads: int) -> Model:
    run, xnnpack = litert.opened(file.read_bytes(), threads)
    about = {"model": f"litert {file.stem.removeprefix('model_')}", "with_xnnpack": xnnpack}
    return Model(about, [file], lambda images: run(images.astype(np.float32)))


def _onnx(file: pathlib.Path, threads: int) -> Model:
    try:
        # The optional extra: nothing else needs it.
        import onnxruntime
    except ImportError as error:
        raise UserError(f"{file} needs onnxruntime: pip install 'tf_darts[onnx]'.") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file, options)
    return Model(
        {"model": "onnx"},
        [file],
        lambda images: session.run(["probabilities"], {"images": images.astype(np.float32)})[0],
    )


def models(path: pathlib.Path, threads: int) -> Iterator[Model]:
    """The models in a version, or in the highest of a directory's, to run with so many threads.

    A SavedModel runs with TensorFlow's threads.

    Raises:
      UserError: there are none.
    """
    versions = (p for p in path.glob("*") if p.is_dir() and p.name.isdecimal())
    folder = max(versions, key=lambda version: int(version.name), default=path)
    if (folder / "saved_model.pb").exists():
        yield _saved_model(folder)
        return
    candidates = [(_litert, folder / f"model_{one}.tflite") for one in litert.PRECISIONS]
    candidates.append((_onnx, folder / ONNX_FILE))
    found = [(load, file) for load, file in candidates if file.exists()]
    if not found:
        raise UserError(
            f"--exports: {path} has no exported version in it; write one with --mode=export."
        )
    for load, file in found:
        yield load(file, threads)


def images_of(run_dir: str, data_dir: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first validation images of a training: uint8 [count, height, width, channels], labels.

    Raises:
      UserError: there is no such training, or it is not of images or has no validation part, or the
        data are not to be had.
    """
    training = FinishedTraining.open(run_dir)
    training.run.close()
    config = training.config(training_class(training.run), data_dir=data_dir)
    if find_space(config.space).data != IMAGES:
        raise UserError(
            f"--run_dir={run_dir}: holds a language model; only networks of images are measured."
        )
    cell = training.cell
    data = training_task(config, cell).data
    if not data.validates:
        raise UserError(
            f"--run_dir={run_dir}: was trained with --train_on_all, so no image is left that it did"
            " not learn from; give a training with a validation part."
        )
    pixels, labels = (np.concatenate(part)[:count] for part in zip(*data.evaluation(), strict=True))
    pixels = pixels * training.data["std"] + training.data["mean"]
    return np.rint(pixels).astype(np.uint8), labels


def measured(
    model: Model, images: np.ndarray, labels: np.ndarray, expected: np.ndarray | None
) -> tuple[dict[str, Any], np.ndarray]:
    """The line of a model, and its answers [images, classes].

    Args:
      model: it.
      images: uint8 [images, height, width, channels].
      labels: their classes.
      expected: what the first model answered; None is as this one does.
    """
    for _ in range(_WARMUP):
        model.answer(images[:1])
    answers, seconds = [], []
    for i in range(len(images)):
        start = time.perf_counter()
        answers.append(model.answer(images[i : i + 1]))
        seconds.append(time.perf_counter() - start)
    answers = np.concatenate(answers)
    expected = answers if expected is None else expected
    likeliest = answers.argmax(axis=-1)
    line = model.about | {
        "bytes": sum(file.stat().st_size for file in model.files),
        "images": len(images),
        "median_ms": round(1e3 * float(np.median(seconds)), 3),
        "p95_ms": round(1e3 * float(np.percentile(seconds, 95)), 3),
        "accuracy": round(100 * float(np.mean(likeliest == labels)), 2),
        "same_likeliest": round(100 * float(np.mean(likeliest == expected.argmax(axis=-1))), 2),
        "largest_difference": float(f"{np.max(np.abs(answers - expected)):.2g}"),
    }
    return line, answers


def main(arguments: list[str]) -> int:
    """Prints the measurements; returns the exit status."""
    tf.config.threading.set_intra_op_parallelism_threads(FLAGS.threads)
    tf.config.threading.set_inter_op_parallelism_threads(FLAGS.threads)
    try:
        if len(arguments) > 1:
            raise UserError(f"{arguments[1]!r} is not a flag; write --NAME=VALUE.")
        images, labels = images_of(FLAGS.run_dir, FLAGS.data_dir, FLAGS.images)
        expected = None
        for path in FLAGS.exports:
            for model in models(pathlib.Path(path).expanduser(), FLAGS.threads):
                line, answers = measured(model, images, labels, expected)
                expected = answers if expected is None else expected
                print(json.dumps(line | {"threads": FLAGS.threads}), flush=True)
    except UserError as error:
        print(f"measure_exports: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    FLAGS.verbosity = logging.WARNING  # left to itself, absl shows TensorFlow's INFO lines too
    program.run(main, "measure_exports")
