"""The derived recurrence against a cell written in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.cells.genotype import RECURRENT_PRIMITIVES, RecurrentGenotype
from tf_darts.cells.published import PUBLISHED
from tf_darts.spaces.recurrent.derived.recurrence import derived_recurrence

BATCH, UNITS = 4, 6
ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
    "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "identity": lambda x: x,
}


def random_cell(seed, nodes=5):
    """Some nodes are read by none and are no part of the output."""
    rng = np.random.default_rng(seed)
    edges = tuple(
        (str(rng.choice(RECURRENT_PRIMITIVES[1:])), int(rng.integers(i + 1))) for i in range(nodes)
    )
    concat = rng.choice(np.arange(1, nodes + 1), size=2, replace=False)
    return RecurrentGenotype(edges, tuple(int(node) for node in concat))


CELLS = PUBLISHED["recurrent"] | {f"random {seed}": random_cell(seed) for seed in range(4)}


def problem(cell, steps, dtype="float64", seed=0):
    """Random arguments, with dropped units."""
    rng = np.random.default_rng(seed)

    def normal(*shape, scale=1.0):
        return tf.constant(scale * rng.normal(size=shape), dtype)

    def mask(rate):
        kept = rng.uniform(size=(BATCH, UNITS)) >= rate
        assert 0 < kept.sum() < kept.size
        return tf.constant(kept / (1.0 - rate), dtype)

    return {
        "inputs": normal(steps, BATCH, UNITS),
        "hidden": normal(BATCH, UNITS),
        "input_kernel": normal(2 * UNITS, 2 * UNITS, scale=0.7),
        "node_kernels": [normal(UNITS, 2 * UNITS, scale=0.7) for _ in cell.edges],
        "input_mask": mask(0.5),
        "hidden_mask": mask(0.25),
    }, normal(steps, BATCH, UNITS)


def numpy_cell(cell, inputs, hidden, input_kernel, node_kernels, input_mask, hidden_mask):
    def highway(operation, s, product):
        c, z = product[:, :UNITS], product[:, UNITS:]
        return s + ACTIVATIONS["sigmoid"](c) * (ACTIVATIONS[operation](z) - s)

    outputs = []
    for x in inputs:
        both = np.concatenate([x * input_mask, hidden * hidden_mask], axis=1)
        states = [highway("tanh", hidden, both @ input_kernel)]
        for (operation, source), kernel in zip(cell.edges, node_kernels, strict=True):
            s = states[source]
            states.append(highway(operation, s, (s * hidden_mask) @ kernel))
        hidden = np.mean([states[node] for node in cell.concat], axis=0)
        outputs.append(hidden)
    return np.stack(outputs)


@pytest.mark.parametrize("name", CELLS)
def test_the_clear_recurrence_is_the_cell_of_the_paper(name):
    arguments, _ = problem(CELLS[name], 3)
    expected = numpy_cell(CELLS[name], **tf.nest.map_structure(lambda x: x.numpy(), arguments))
    np.testing.assert_allclose(derived_recurrence(CELLS[name], **arguments), expected, rtol=1e-10)
