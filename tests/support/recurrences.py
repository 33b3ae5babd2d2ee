"""Arguments of recurrences, and the parts of a cell in NumPy."""

import numpy as np
import tensorflow as tf

from tf_darts.cells.genotype import RECURRENT_PRIMITIVES, RecurrentGenotype
from tf_darts.cells.published import PUBLISHED

BATCH, UNITS = 4, 6


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
    "sigmoid": sigmoid,
    "identity": lambda x: x,
}


def highway(activation, s, product):
    """s + σ(c)·(f(z) - s), [c, z] being the product."""
    c, z = np.split(product, 2, axis=1)
    return s + sigmoid(c) * (ACTIVATIONS[activation](z) - s)


def random_cell(seed, nodes=5):
    """Some nodes are read by none and are no part of the output."""
    rng = np.random.default_rng(seed)
    edges = tuple(
        (str(rng.choice(RECURRENT_PRIMITIVES[1:])), int(rng.integers(i + 1))) for i in range(nodes)
    )
    concat = rng.choice(np.arange(1, nodes + 1), size=2, replace=False)
    return RecurrentGenotype(edges, tuple(int(node) for node in concat))


CELLS = PUBLISHED["recurrent"] | {f"random {seed}": random_cell(seed) for seed in range(4)}


def problem(steps, nodes, scale, shape=(BATCH, UNITS), dtype="float64", seed=0, mixes=False):
    """Random arguments of a recurrence, with dropped units, and what to take a gradient against.

    With `mixes` there are mixing weights that are not uniform.
    """
    rng = np.random.default_rng(seed)
    units = shape[1]

    def normal(*shape, scale=1.0):
        return tf.constant(scale * rng.normal(size=shape), dtype)

    def mask(rate):
        kept = rng.uniform(size=shape) >= rate
        assert 0 < kept.sum() < kept.size
        return tf.constant(kept / (1.0 - rate), dtype)

    arguments = {
        "inputs": normal(steps, *shape),
        "hidden": normal(*shape),
        "input_kernel": normal(2 * units, 2 * units, scale=scale),
        "node_kernels": [normal(units, 2 * units, scale=scale) for _ in range(nodes)],
    }
    if mixes:
        arguments["mixing"] = tf.nn.softmax(normal(nodes * (nodes + 1) // 2, 5))
    arguments |= {"input_mask": mask(0.5), "hidden_mask": mask(0.25)}
    return arguments, normal(steps, *shape)


def derived_problem(cell, steps, dtype="float64", seed=0):
    """That of a derived cell."""
    return problem(steps, len(cell.edges), 0.7, dtype=dtype, seed=seed)
