"""Times matrix products in float32 and in 16 bits, casts included, in turn; a JSON line for each.

    python experiments/compare_products.py

This is what `LEAST_INTENSITY` of `tf_darts/runtime/precision.py` comes from. The products are those
that the spaces have, of the paper's sizes. Whole steps: `tools/benchmark.py --against_precision`.
"""
# ruff: noqa: E402 (TensorFlow is loaded before what imports it)

import json
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from tf_darts.runtime import start_up

start_up.load_tensorflow()  # without its chatter

import tensorflow as tf
from absl import app, flags

from tf_darts.cli import program
from tf_darts.runtime.precision import Precision, matmul, using

FLAGS = flags.FLAGS
flags.DEFINE_multi_enum(
    "type",
    ["float32", "bfloat16"],
    ["float32", "bfloat16", "float16"],
    "of the products; repeat it for each",
)
flags.DEFINE_integer("rounds", 20, "the types take turns in each", lower_bound=1)

# (rows, inner, columns), the first transposed, the second transposed
PRODUCTS = {
    "decoder of the search, batch 256": ((8960, 300, 10000), False, True),
    "its slopes of features": ((8960, 10000, 300), False, False),
    "its gradient of the embedding": ((10000, 8960, 300), True, False),
    "decoder of the training": ((2240, 850, 10000), False, True),
    "inputs of the training's cell": ((2240, 850, 1700), False, False),
    "a kernel's gradient in the training": ((850, 2240, 1700), True, False),
    "a node of the training, one time step": ((64, 850, 1700), False, False),
    "a node of the search, 8 edges, batch 64": ((512, 300, 600), False, False),
    "a node of the search, 8 edges, batch 256": ((2048, 300, 600), False, False),
    "1x1 convolutions, 32x32 pixels, batch 16": ((16384, 80, 80), False, False),
    "1x1 convolutions, 8x8 pixels, batch 96": ((6144, 576, 144), False, False),
}


def median_seconds(shape: tuple[int, int, int], a: bool, b: bool) -> dict[str, float]:
    """The median seconds of a product [rows, inner] · [inner, columns] in each type.

    Args:
      shape: rows, inner and columns.
      a: whether the first operand is transposed.
      b: whether the second is.
    """
    rows, inner, columns = shape
    left = tf.random.normal([inner, rows] if a else [rows, inner])
    right = tf.random.normal([columns, inner] if b else [inner, columns])

    def product(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        return matmul(left, right, transpose_a=a, transpose_b=b)

    functions, seconds = {}, {}
    for name in FLAGS.type:
        functions[name], seconds[name] = tf.function(product, autograph=False), []
        with using(Precision("float32", name, least_intensity=0.0)):
            functions[name](left, right)  # traced here
    for _ in range(FLAGS.rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function(left, right)[0, 0].numpy()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main(arguments: list[str]) -> None:
    """Prints the measurements."""
    if len(arguments) > 1:
        raise app.UsageError(f"unexpected argument {arguments[1]!r}")
    for what, (shape, a, b) in PRODUCTS.items():
        medians = median_seconds(shape, a, b)
        row = {"product": what, "shape": shape}
        row["intensity"] = round(1.0 / sum(1.0 / size for size in shape))
        row |= {f"{name}_ms": round(1e3 * value, 3) for name, value in medians.items()}
        first = medians[FLAGS.type[0]]
        row |= {f"{name}_gain": round(first / medians[name], 2) for name in FLAGS.type[1:]}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    program.run(main, "compare_products")
