"""Which of TensorFlow's graph optimisers work on a graph before its first run."""

import tensorflow as tf

# They look for what a training step of an image network on a CPU has not: layouts of a GPU,
# kernels that fuse inference, loops. A supernet's derivative has 30,000 operations, over which
# each of them goes twice.
NOT_WORTH_IT = (
    "arithmetic_optimization",
    "layout_optimizer",
    "loop_optimization",
    "remapping",
    "shape_optimization",
)


def leave_out_graph_optimisers() -> bool:
    """Leaves out the optimisers that gain nothing for the steps of image networks on a CPU.

    The first step is done a tenth sooner (docs/performance.md), later ones take what they took, in
    time and in memory: common subgraphs and dead ends go as ever. It is a setting of the whole
    process, so only for one that does nothing else, and does nothing where there is a GPU.

    Returns:
      Whether they are left out now.
    """
    if tf.config.list_physical_devices("GPU"):
        return False
    tf.config.optimizer.set_experimental_options(dict.fromkeys(NOT_WORTH_IT, False))
    return True
