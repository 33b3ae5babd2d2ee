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
ALL = "disable_meta_optimizer"  # the name of what leaves out all of them


def leave_out_graph_optimisers(*, of_search: bool = False) -> bool:
    """Leaves out the optimisers that gain nothing for the steps of image networks on a CPU.

    The first step is done sooner (docs/performance.md), later ones take what they took: common
    subgraphs and dead ends go as ever, which is the work of TensorFlow's executor. It is a setting
    of the whole process, so only for one that does nothing else, and does nothing where there is a
    GPU.

    Args:
      of_search: whether the steps are a search's, for which none of them gains anything. A
        training takes a little more memory without the rest.

    Returns:
      Whether they are left out now.
    """
    if tf.config.list_physical_devices("GPU"):
        return False
    options = {ALL: True} if of_search else dict.fromkeys(NOT_WORTH_IT, False)
    tf.config.optimizer.set_experimental_options(options)
    return True
