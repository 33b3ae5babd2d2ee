"""How much memory a search or a training will need."""

from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.config.search import SearchConfig
from tf_darts.config.training import TrainingConfig
from tf_darts.runtime import graph_store
from tf_darts.runtime.memory import estimate as memory
from tf_darts.runtime.replicas import SINGLE_REPLICA, Replicas
from tf_darts.spaces.objective import TrainingObjective
from tf_darts.spaces.sampled import one_hot_mixing
from tf_darts.spaces.supernet import Supernet

_VECTORS = (
    2  # of the size of w that are made in a training step: ∇, and the new w or the parts of ∇
)


def search_memory(
    supernet: Supernet, config: SearchConfig, longest: int = 1, replicas: Replicas = SINGLE_REPLICA
) -> memory.MemoryEstimate | None:
    """What a search will need of this process; None where its space does not say.

    Args:
      supernet: what is searched.
      config: the settings.
      longest: time steps of a batch, at most.
      replicas: those of the run.
    """
    examples = replicas.examples_at_once(config.batch_size)
    batch = memory.sized(supernet.batch_signature, supernet.batch_axis, examples, longest)
    kind = HYPERGRADIENTS[config.hypergradient]
    order, count = kind.order, replicas.count
    with one_hot_mixing(config.make_parts("relaxation")[0].one_hot):
        gradient = graph_store.counted(
            lambda: supernet.traced_memory(batch, order=order, replicas=count), batch, order, count
        )
    if gradient is None:
        return None
    graphs = 2 if supernet.joint_gradients else kind.graphs
    size = memory.bytes_of(supernet.weights)
    return memory.estimate(gradient, kind.vectors * size, graphs)


def training_memory(
    objective: TrainingObjective,
    config: TrainingConfig,
    longest: int = 1,
    replicas: Replicas = SINGLE_REPLICA,
) -> memory.MemoryEstimate | None:
    """What a training will need of this process; None where its space does not say.

    Args:
      objective: what is trained.
      config: the settings.
      longest: time steps of a batch, at most.
      replicas: those of the run.
    """
    examples = replicas.examples_at_once(config.batch_size)
    batch = memory.sized(objective.batch_signature, objective.batch_axis, examples, longest)
    gradient = graph_store.counted(lambda: objective.traced_memory(batch), batch)
    if gradient is None:
        return None
    # Besides the weights: their velocities and average.
    vectors = _VECTORS + bool(config.momentum) + bool(config.averaging_patience)
    return memory.estimate(gradient, vectors * memory.bytes_of(objective.weights))
