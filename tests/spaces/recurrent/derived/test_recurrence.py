"""The derived recurrence against a cell written in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.recurrences import CELLS, derived_problem, highway
from tf_darts.spaces.recurrent.derived.recurrence import derived_recurrence


def numpy_cell(cell, inputs, hidden, input_kernel, node_kernels, input_mask, hidden_mask):
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
    arguments, _ = derived_problem(CELLS[name], 3)
    expected = numpy_cell(CELLS[name], **tf.nest.map_structure(lambda x: x.numpy(), arguments))
    np.testing.assert_allclose(derived_recurrence(CELLS[name], **arguments), expected, rtol=1e-10)
