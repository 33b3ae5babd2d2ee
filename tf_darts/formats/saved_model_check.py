"""Asks a SavedModel its stored examples, with TensorFlow alone.

  python -I tf_darts/formats/saved_model_check.py EXPORT_DIR/VERSION

Prints what differs from the stored answers, or how many agree; exits with status 1 where something
differs, and with 2 where the folder is no exported version. It is a program of its own, so that
what is exported is known to work where there is no tf_darts.
"""

import base64
import contextlib
import json
import os
import pathlib
import sys
from collections.abc import Callable, Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

EXAMPLES_FILE = "assets.extra/examples.json"
TOLERANCE = 1e-5  # absolute, or relative where that is more

Arrays = dict[str, np.ndarray]
Answer = Callable[[str, Arrays], Arrays]  # a signature's name and its inputs to its outputs


def encoded(tensor: tf.Tensor) -> dict[str, str]:
    """A tensor as JSON can hold it: its type, and its serialised `TensorProto` in base64."""
    content = base64.b64encode(tf.io.serialize_tensor(tensor).numpy()).decode()
    return {"dtype": tensor.dtype.name, "tensor": content}


def decoded(entry: dict[str, str]) -> tf.Tensor:
    """What `encoded` was given."""
    return tf.io.parse_tensor(base64.b64decode(entry["tensor"]), entry["dtype"])


def differences(folder: str | os.PathLike[str]) -> list[str]:
    """What the SavedModel in a folder answers otherwise than its examples say, a line each.

    It is loaded in both ways: by TensorFlow 2, and in a session, as TensorFlow Serving runs it.
    """
    examples = json.loads((pathlib.Path(folder) / EXAMPLES_FILE).read_text(encoding="utf-8"))
    signatures = tf.saved_model.load(os.fspath(folder)).signatures
    problems = []
    if examples.keys() != signatures.keys():
        problems.append(f"signatures {sorted(signatures)} in place of {sorted(examples)}")

    def called(name: str, inputs: Arrays) -> Arrays:
        tensors = {key: tf.constant(value) for key, value in inputs.items()}
        return {key: value.numpy() for key, value in signatures[name](**tensors).items()}

    expected = {
        name: [
            (_arrays(example["inputs"]), _arrays(example["outputs"])) for example in examples[name]
        ]
        for name in sorted(examples.keys() & signatures.keys())
    }
    problems += _compared(expected, called)
    if not problems:
        with session(folder) as ask:
            problems += [f"{line} in a session" for line in _compared(expected, ask)]
    return problems


@contextlib.contextmanager
def session(folder: str | os.PathLike[str]) -> Iterator[Answer]:
    """A SavedModel in a session: a function from a signature's name and inputs to its outputs."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as running:
        definitions = tf.compat.v1.saved_model.load(running, ["serve"], os.fspath(folder))

        def ask(name: str, inputs: Arrays) -> Arrays:
            signature = definitions.signature_def[name]
            feeds = {signature.inputs[key].name: value for key, value in inputs.items()}
            fetches = {key: info.name for key, info in signature.outputs.items()}
            return running.run(fetches, feeds)

        yield ask


def _arrays(entries: dict[str, dict[str, str]]) -> Arrays:
    return {key: decoded(entry).numpy() for key, entry in entries.items()}


def _compared(examples: dict[str, list[tuple[Arrays, Arrays]]], ask: Answer) -> list[str]:
    problems = []
    for name, pairs in examples.items():
        for inputs, expected in pairs:
            outputs = ask(name, inputs)
            if outputs.keys() != expected.keys():
                problems.append(f"{name}: outputs {sorted(outputs)} in place of {sorted(expected)}")
            for key in sorted(outputs.keys() & expected.keys()):
                if how := _difference(outputs[key], expected[key]):
                    problems.append(f"{name}: {key} {how}")
    return problems


def _difference(value: np.ndarray, expected: np.ndarray) -> str | None:
    if (value.shape, value.dtype.kind) != (expected.shape, expected.dtype.kind):
        return f"is {value.dtype}{value.shape} in place of {expected.dtype}{expected.shape}"
    if value.dtype.kind != "f":
        return None if np.array_equal(value, expected) else "differs"
    if np.allclose(value, expected, rtol=TOLERANCE, atol=TOLERANCE):
        return None
    return f"differs by {np.max(np.abs(value - expected)):.3g}"


def _refusal(arguments: list[str]) -> str | None:
    """What is wrong with the arguments, in a sentence; None: nothing."""
    if len(arguments) != 2:
        return (
            "saved_model_check.py takes one argument, and got"
            f" {max(len(arguments) - 1, 0)}; give the folder of a version, as in models/NAME/1."
        )
    folder = pathlib.Path(arguments[1])
    missing = [name for name in ("saved_model.pb", EXAMPLES_FILE) if not (folder / name).is_file()]
    if not missing:
        return None
    versions = [path for path in folder.glob("*") if (path / EXAMPLES_FILE).is_file()]
    numbers = [int(path.name) for path in versions if path.name.isdecimal()]
    advice = f"{folder / str(max(numbers))}" if numbers else "one, as in models/NAME/1"
    return f"{folder}: no exported version, {' and '.join(missing)} not found in it; give {advice}."


def main(arguments: list[str]) -> int:
    """Checks the folder that the arguments name; returns the exit status."""
    if refusal := _refusal(arguments):
        print(refusal, file=sys.stderr)
        return 2
    # A GPU rounds factors to 10 bits by itself, which the stored answers were not.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    folder = pathlib.Path(arguments[1])
    problems = differences(folder)
    if problems:
        print("\n".join(problems))
        return 1
    examples = json.loads((folder / EXAMPLES_FILE).read_text(encoding="utf-8"))
    count = sum(len(stored) for stored in examples.values())
    print(
        f"{folder}: all {count} answers agree with the stored ones, in TensorFlow 2 and a session."
    )
    return 0


if __name__ == "__main__":
    # As if neither were installed.
    sys.modules["tf_darts"] = sys.modules["keras"] = None
    sys.exit(main(sys.argv))
