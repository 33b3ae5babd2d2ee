"""From architecture logits α to mixing weights: what makes the choice of operations continuous."""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from tf_darts.cells.topology import CellTopology
from tf_darts.runtime.seeds import sub_seed
from tf_darts.spaces.supernet import Alphas, Mixing


def initial_alphas(
    cells: Mapping[str, CellTopology], scale: float, seed: int
) -> dict[str, keras.Variable]:
    """Nearly equal logits, `scale`·N(0, 1), for each kind of cell, [edges, operations]."""
    alphas = {}
    for name, topology in cells.items():
        random = np.random.default_rng(sub_seed(seed, "alpha", name))
        value = scale * random.standard_normal((topology.edges, topology.columns))
        alphas[name] = keras.Variable(value, dtype=keras.config.floatx(), name=f"alpha_{name}")
    return alphas


def softmax(alphas: Alphas) -> Mixing:
    """Eq. 2: each edge's weights are the softmax of its row of α."""
    return {name: tf.nn.softmax(alpha, axis=-1) for name, alpha in alphas.items()}


def entropy(mixing: Mixing) -> tf.Tensor:
    """The mean over edges of the entropy of their mixing weights, in nats.

    ln(number of operations) at the start, 0 when every edge has made its choice.
    """
    rows = [-tf.reduce_sum(tf.math.xlogy(p, p), axis=-1) for p in mixing.values()]
    return tf.reduce_mean(tf.concat(rows, axis=0))
