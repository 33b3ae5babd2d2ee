"""Threads are settings of a process, so each case has one."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import os
import tensorflow as tf
from tf_darts.runtime.threads import use_inter_op_threads
threads = tf.config.threading
for cores in {cores}:
    if cores:
        os.sched_getaffinity = lambda pid: set(range(cores))
    else:
        os.sched_getaffinity = lambda pid: set(range(2))
        tf.zeros([])
    done = use_inter_op_threads()
    within, between = (
        threads.get_intra_op_parallelism_threads(),
        threads.get_inter_op_parallelism_threads(),
    )
    print(done, within, between)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cores", "wanted"),
    [
        ((3, 2), ["False 0 0", "True 1 2"]),
        # TensorFlow has been used.
        pytest.param((3, None), ["False 0 0", "False 0 0"], marks=pytest.mark.long),
        pytest.param((1,), ["True 1 1"], marks=pytest.mark.long),
    ],
)
def test_operations_side_by_side(cores, wanted):
    program = PROGRAM.format(cores=cores)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines() == wanted, done.stderr
