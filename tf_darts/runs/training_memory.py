"""How much memory a training will need."""

from tf_darts.config.training import TrainingConfig
from tf_darts.runtime.memory import estimate as memory
from tf_darts.runtime.replicas import ALONE, Replicas
from tf_darts.spaces.objective import Network

_VECTORS = 2  # of the size of w that are made in a step: ∇, and the new w or the parts of ∇


def need_of_training(
    network: Network, config: TrainingConfig, longest: int = 1, replicas: Replicas = ALONE
) -> memory.Need | None:
    """What a training will need of this process; None where its space does not say.

    Args:
      network: what is trained.
      config: the settings.
      longest: time steps of a batch, at most.
      replicas: those of the run.
    """
    examples = replicas.examples_at_once(config.batch_size)
    batch = memory.sized(network.batch_signature, network.batch_axis, examples, longest)
    footprint = network.footprint(batch)
    if footprint is None:
        return None
    # Besides the weights: their velocities and average.
    own = bool(config.momentum) + bool(getattr(config, "averaging_patience", 0))
    return memory.need(footprint, (own + _VECTORS) * memory.bytes_of(network.weights))
