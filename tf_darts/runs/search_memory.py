"""How much memory a search will need."""

from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.config.search import SearchConfig
from tf_darts.runtime.memory import estimate as memory
from tf_darts.runtime.replicas import ALONE, Replicas
from tf_darts.spaces.supernet import Supernet


def need_of_search(
    supernet: Supernet, config: SearchConfig, longest: int = 1, replicas: Replicas = ALONE
) -> memory.Need | None:
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
    footprint = supernet.footprint(batch, order=kind.order, replicas=replicas.count)
    if footprint is None:
        return None
    graphs = 2 if supernet.joint_gradients else kind.graphs
    size = memory.bytes_of(supernet.weights)
    return memory.need(footprint, kind.vectors * size, graphs)
