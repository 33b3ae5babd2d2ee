"""Lowers a whole step to StableHLO, to be timed where there is no TensorFlow.

    python experiments/lower_step.py --task=rnn_search --hypergradient=first_order --output=DIR
    python experiments/run_lowered_step.py DIR

Everything in a step, the optimisers' moves too, becomes one program for the compiler XLA; the
kernels of TensorFlow and its order of work are left behind. DIR gets the program
(`step.mlir`), its first arguments (`beginning.npz`), and in `step.json` where its results go
in the arguments of the next step, and what TensorFlow's own steps gave here.
"""
# ruff: noqa: E402 (TensorFlow is loaded before what imports it)

import contextlib
import json
import pathlib
import re
import sys
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))

from tf_darts.runtime import start_up

start_up.load_tensorflow()  # without its chatter

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags
from benchmark_tasks import TASKS, Task
from run_lowered_step import drawn

from tf_darts.cli import program
from tf_darts.spaces.convolutional.derived.network import DerivedNetwork
from tf_darts.spaces.fast_forms import without

FLAGS = flags.FLAGS
flags.DEFINE_enum("task", "rnn_search", [t for t in TASKS if t != "image_input"], "which step")
flags.DEFINE_string("output", None, "the directory to make", required=True)
flags.DEFINE_integer("expected_steps", 2, "steps that TensorFlow takes here", lower_bound=1)
flags.DEFINE_bool("clear", False, "cnn_train: layer by layer, as TensorFlow would on a GPU")
flags.DEFINE_bool("tf32", False, "GPUs may round what is multiplied to 10 bits of mantissa")

LARGE = 512  # a variable with more values gets others, of which only a seed need be kept


def named(results: Any) -> dict[str, Any]:
    """A structure's leaves by their paths."""
    return {"/".join(path): leaf for path, leaf in keras.tree.flatten_with_path(results)}


def begin(variables: list[tf.Variable]) -> list[dict[str, Any]]:
    """Gives large variables values that can be drawn again; returns how, {} for the others."""
    draws = []
    for seed, variable in enumerate(variables):
        value = variable.numpy()
        draw = {}
        if value.size > LARGE:
            moments = {"mean": float(value.mean()), "deviation": float(value.std())}
            draw = {"seed": seed, "shape": value.shape, **moments}
            variable.assign(drawn(**draw))
        draws.append(draw)
    return draws


def portable(program: str) -> str:
    """StableHLO in text, without what is not of that language.

    Locations are dropped. A copy of what is returned, which only some devices' compilers take,
    becomes the operation that keeps its argument as it is.
    """
    quoted = r'"(?:[^"\\]|\\.)*"'
    location = rf" loc\((?:[^()\"]|{quoted}|\((?:[^()\"]|{quoted})*\))*\)"
    program = re.sub(r"^#loc.*\n", "", program, flags=re.MULTILINE)
    program = re.sub(location, "", program)
    return program.replace("mhlo.copy ", "stablehlo.optimization_barrier ")


def main(arguments: list[str]) -> None:
    """Writes the directory."""
    if len(arguments) > 1:
        raise app.UsageError(f"unexpected argument {arguments[1]!r}")
    directory = pathlib.Path(FLAGS.output)
    if directory.exists():
        raise app.UsageError(f"--output={directory}: is there already; name a new directory")
    if FLAGS.clear and FLAGS.task != "cnn_train":
        raise app.UsageError("--clear: --task=cnn_train alone has two forms")
    tf.config.experimental.enable_tensor_float_32_execution(FLAGS.tf32)
    with without(DerivedNetwork) if FLAGS.clear else contextlib.nullcontext():
        lower(TASKS[FLAGS.task](), directory)


def lower(task: Task, directory: pathlib.Path) -> None:
    """Lowers a task's step."""
    given = tf.nest.map_structure(tf.convert_to_tensor, task.arguments)

    def results(*given: Any) -> dict[str, tf.Tensor]:
        found = named(task.step.of_tensors(*given))
        # A compiled program returns no constants.
        return {n: value for n, value in found.items() if tf.get_static_value(value) is None}

    function = tf.function(results, jit_compile=True, autograph=False)
    concrete = function.get_concrete_function(*given)
    program = portable(function.experimental_get_compiler_ir(*given)(stage="stablehlo"))
    by_handle = {id(variable.handle): variable for variable in concrete.variables}
    variables = [by_handle[id(captured)] for captured in concrete.captured_inputs]
    draws = begin(variables)
    batch = [tensor.numpy() for tensor in tf.nest.flatten(given)]
    beginning = [variable.numpy() for variable in variables]
    names = sorted(concrete.structured_outputs)
    expected = []
    for _ in range(FLAGS.expected_steps):
        found = named(task.step(*task.arguments))
        expected.append([found[name] for name in names])
    moved = [
        len(batch) + place
        for place, (variable, value) in enumerate(zip(variables, beginning, strict=True))
        if not np.array_equal(variable.numpy(), value)
    ]
    directory.mkdir(parents=True)
    (directory / "step.mlir").write_text(program, encoding="utf-8")
    kept = [None if draw else v for draw, v in zip(draws, beginning, strict=True)]
    arrays = {str(i): v for i, v in enumerate([*batch, *kept]) if v is not None}
    np.savez_compressed(directory / "beginning.npz", **arrays)
    description = {
        "task": FLAGS.task,
        "batch_size": FLAGS.batch_size,
        **({"hypergradient": FLAGS.hypergradient} if FLAGS.task.endswith("search") else {}),
        **task.sizes,
        "tf32": FLAGS.tf32,
        "clear": FLAGS.clear,
        "draws": [*({} for _ in batch), *draws],
        "moved": moved,
        "names": names,
        "expected": expected,
    }
    (directory / "step.json").write_text(json.dumps(description) + "\n", encoding="utf-8")
    print(f"{directory}: {len(program)} characters of StableHLO, {len(moved)} arguments that move")


if __name__ == "__main__":
    program.run(main, "lower_step")
