"""Threads are settings of a process, so each case has one."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import os
{before}
import tensorflow as tf
from tf_darts.runtime.threads import use_inter_op_threads
{between}
done = use_inter_op_threads()
threads = tf.config.threading
print(done, threads.get_intra_op_parallelism_threads(), threads.get_inter_op_parallelism_threads())
"""
CORES = "os.sched_getaffinity = lambda pid: set(range({}))"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "between", "wanted"),
    [
        (CORES.format(2), "", "True 1 2"),
        (CORES.format(1), "", "True 1 1"),
        (CORES.format(3), "", "False 0 0"),
        (CORES.format(2), "tf.zeros([])", "False 0 0"),
    ],
)
def test_operations_side_by_side(before, between, wanted):
    program = PROGRAM.format(before=before, between=between)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == wanted.split(), done.stderr
