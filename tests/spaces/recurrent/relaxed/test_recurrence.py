"""The clear recurrence against a cell written in NumPy, one number of a node at a time."""

import numpy as np
import tensorflow as tf

from tests.support.recurrences import ACTIVATIONS, highway
from tf_darts.spaces.recurrent.relaxed.recurrence import relaxed_recurrence

T, B, U, N = 3, 4, 5, 3


def normalize(x):
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)


def numpy_cell(inputs, hidden, input_kernel, kernels, mixing, input_mask, hidden_mask):
    outputs = []
    for x in inputs:
        both = np.concatenate([x * input_mask, hidden * hidden_mask], axis=1) @ input_kernel
        states = [normalize(highway("tanh", hidden, both))]
        edge = 0
        for kernel in kernels:
            total = 0.0
            for state in states:
                product = (state * hidden_mask) @ kernel
                for k, activation in enumerate(ACTIVATIONS, start=1):
                    total = total + mixing[edge, k] * highway(activation, state, product)
                edge += 1
            states.append(normalize(total))
        hidden = np.mean(states[1:], axis=0)
        outputs.append(hidden)
    return np.stack(outputs)


def test_the_recurrence_is_the_cell_of_the_paper():
    random = np.random.default_rng(0)
    arguments = (
        random.standard_normal((T, B, U)),
        random.standard_normal((B, U)),
        random.standard_normal((2 * U, 2 * U)),
        [random.standard_normal((U, 2 * U)) for _ in range(N)],
        random.random((N * (N + 1) // 2, 5)),
        random.integers(0, 2, (B, U)) * 4.0,
        random.integers(0, 2, (B, U)) / 0.75,
    )
    result = relaxed_recurrence(*tf.nest.map_structure(tf.constant, arguments))
    np.testing.assert_allclose(result.outputs, numpy_cell(*arguments), rtol=1e-10, atol=1e-12)
    assert result.means.shape == (T, N + 1, U)
