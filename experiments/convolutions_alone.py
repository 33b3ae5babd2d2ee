"""Processor seconds of the convolutions of one first-order step in NAS-Bench-201's space, alone.

  python experiments/convolutions_alone.py

It is the least that a step can take with TensorFlow's convolutions, whatever is done around them:
the edges that leave a node at once (`accelerate/nasbench201`), 16 channels, 5 cells for each
resolution, batch 64, float32, one thread. A step has two passes forward and two back to the
activations, and one to the weights. Divided by the number of cores it bounds the time by the clock.
"""

import os
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow: hides its start-up chatter

import tensorflow as tf
from absl import app

_BATCH, _CELLS, _TIMES = 64, 5, 6


def seconds_of(run: Callable[[], tf.Tensor]) -> float:
    """Processor seconds of one call, the mean of several after a warm-up."""
    run()
    start = time.process_time()
    for _ in range(_TIMES):
        run()
    return (time.process_time() - start) / _TIMES


def convolutions(channels: int, size: int, targets: int, kernel: int) -> list[float]:
    """Seconds of a convolution to `targets` edges: forward, back to the activations, to weights."""
    images = tf.random.normal([_BATCH, size, size, channels])
    weights = tf.random.normal([kernel, kernel, channels, targets * channels])
    upstream = tf.random.normal([_BATCH, size, size, targets * channels])
    shared = {"strides": [1, 1, 1, 1], "padding": "SAME"}
    runs = (
        lambda: tf.nn.conv2d(images, weights, **shared),
        lambda: tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(images), filter=weights, out_backprop=upstream, **shared
        ),
        lambda: tf.raw_ops.Conv2DBackpropFilter(
            input=images, filter_sizes=tf.shape(weights), out_backprop=upstream, **shared
        ),
    )
    return [seconds_of(tf.function(run, autograph=False)) for run in runs]


def main(arguments: list[str]) -> None:
    """Prints the seconds of each kind, and of a step."""
    del arguments
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    stages = (16, 32), (32, 16), (64, 8)
    each = [
        convolutions(channels, size, targets, kernel)
        for channels, size in stages
        for targets in (3, 2, 1)
        for kernel in (3, 1)
    ]
    forward, back, to_weights = (_CELLS * sum(kind) for kind in zip(*each, strict=True))
    print(f"forward {forward:.3f} s, to activations {back:.3f} s, to weights {to_weights:.3f} s")
    print(f"a first-order step: {2 * forward + 2 * back + to_weights:.2f} processor seconds")


if __name__ == "__main__":
    app.run(main)
