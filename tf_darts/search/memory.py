"""How much memory a search will need."""

from tf_darts.configuration.search import SearchConfig
from tf_darts.runtime import memory
from tf_darts.runtime.replicas import ALONE, Replicas
from tf_darts.spaces.supernet import Supernet

# Vectors of the size of w that are alive at once: w, ∇, w', v, w ± εv, their parts, and velocity.
_VECTORS = {"first_order": 6, "finite_difference": 9, "exact": 9}


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
    order = 2 if config.hypergradient == "exact" else 1
    footprint = supernet.footprint(batch, order=order, replicas=replicas.count)
    if footprint is None:
        return None
    # By w and by α; where these are not one, of the unrolled step both again.
    graphs = 2
    if config.hypergradient == "finite_difference" and not supernet.joint_gradients:
        graphs = 4
    size = memory.bytes_of(supernet.weights)
    return memory.need(footprint, _VECTORS[config.hypergradient] * size, graphs)
