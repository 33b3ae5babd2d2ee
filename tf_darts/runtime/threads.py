"""How TensorFlow shares out the processor's cores."""

import os

import tensorflow as tf

_FEW = 2  # cores; with more of them it has not been measured


def cores() -> int:
    """How many of the processor's cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_inter_op_threads() -> bool:
    """One core for each operation, as many operations at once as there are cores.

    An image network is thousands of operations of 0.1 to 1 ms on several independent edges.
    Sharing out each of them among the cores takes longer than there is to gain: on two cores a
    step takes a quarter less time this way, of training and of search. It is a setting of the
    whole process, so only for one that does nothing else, and does nothing where there is a GPU,
    where there are more cores, or where TensorFlow has begun already.

    Returns:
      Whether it is so now.
    """
    if cores() > _FEW or tf.config.list_physical_devices("GPU"):
        return False
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(cores())
    except RuntimeError:  # too late
        return False
    return True
