"""PC-DARTS (Xu et al., ICLR 2020): partial channels, and edges that compete with each other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from etils import epy

from tf_darts.bilevel.edge_options import EdgeOption
from tf_darts.bilevel.relaxation import Moment, softmax
from tf_darts.cells.topology import CellTopology
from tf_darts.config.methods import register, register_method
from tf_darts.config.setting import setting
from tf_darts.errors import UserError

with epy.lazy_imports():
    import keras
    import tensorflow as tf

    from tf_darts.runtime import seeds
    from tf_darts.spaces.convolutional.relaxed import partial_edge

if TYPE_CHECKING:
    from tf_darts.spaces.edge_wrappers import EdgeMaker, EdgePlace
    from tf_darts.spaces.supernet import Alphas, Mixing


@register("partial_channels")
class PartialChannels(EdgeOption):
    """An edge's operations see a K-th of its channels; the others pass, and all are shuffled.

    y = shuffle_K(concat(Σ_o p_o·o(x[first C/K channels]), the rest of x)); at stride 2 the rest
    goes through 2×2 max pooling. Activations take about a K-th, so K times the batch fits. (The
    official code begins its validation data anew at every step, so it never sees all of them, and
    its variant of random channels shuffles nothing.)
    """

    partial_channels: int = setting(
        4,
        "The operations of an edge see one K-th of its channels, where K is this number.",
        minimum=1,
        maximum=2**10,
    )

    def check(self, config: Any) -> None:
        channels, rule = getattr(config, "channels", 0), config.staging
        stages = [] if rule is None else map(rule.settings_of_stage, range(rule.stages()))
        of_stages = [stage["partial_channels"] for stage in stages if "partial_channels" in stage]
        parts = math.lcm(*of_stages) if of_stages else self.partial_channels
        if not channels % parts:
            return
        below, above = channels - channels % parts, channels - channels % parts + parts
        near = " or ".join(str(number) for number in (below, above) if number)
        if of_stages:
            raise UserError(
                f"--rules={rule.name}: the partial_channels of all its stages divide multiples of"
                f" {parts} alone, and --channels={channels}; give --channels={near}, or other"
                " partial_channels there."
            )
        raise UserError(
            f"--partial_channels={parts} does not divide --channels={channels}; give"
            f" --channels={near}, or another --partial_channels."
        )

    def passes_by(self) -> bool:
        return self.partial_channels > 1

    def wrapped(self, make: EdgeMaker, place: EdgePlace) -> EdgeMaker:
        parts = self.partial_channels
        if parts == 1:
            return make
        return lambda channels: partial_edge.PartialEdge(
            make, channels, parts, place.stride, dtype=place.dtype
        )


@register("edge_normalization")
class EdgeNormalization(EdgeOption):
    """Edges into a node compete: each is multiplied by a softmax over them, of its own parameter.

    node_j = Σ_i softmax_i(β_ij)·edge_ij, β [edges] for each kind of cell. It multiplies what passes
    beside the operations too. An edge all of whose operations are out takes no part. The cell is
    read off the products p·softmax(β).
    """

    def variables(
        self, cells: Mapping[str, CellTopology], scale: float, seed: int
    ) -> dict[str, keras.Variable]:
        betas = {}
        for kind, topology in cells.items():
            random = np.random.default_rng(seeds.sub_seed(seed, "edge_normalization", kind))
            value, name = scale * random.standard_normal(topology.edges), f"beta_{kind}"
            betas[name] = keras.Variable(value, dtype=keras.config.floatx(), name=name)
        return betas

    def edge_factors(
        self, alphas: Alphas, moment: Moment, cells: Mapping[str, CellTopology]
    ) -> Mixing:
        factors = {}
        for kind, topology in cells.items():
            beta = tf.convert_to_tensor(alphas[f"beta_{kind}"])
            allowed = None
            if kind in moment.allowed:
                allowed = tf.reduce_max(moment.allowed[kind], axis=1)
            nodes = []
            for node in range(topology.nodes):
                rows = topology.rows(node)
                among = {} if allowed is None else {"": allowed[tf.newaxis, rows]}
                nodes.append(softmax({"": beta[tf.newaxis, rows]}, among)[""][0])
            factors[kind] = tf.concat(nodes, axis=0)
        return factors


register_method(
    "pc_darts",
    "first order on a quarter of each edge's channels, edges compete (Xu et al. 2020)",
    rules=("warm_up",),
    hypergradient="first_order",
    edge_options=("partial_channels", "edge_normalization"),
    # Those of CIFAR-10. On ImageNet K is 2, the batch 1024, and the rates are 0.5 and 6e-3.
    settings={
        "batch_size": 256,
        "weight_learning_rate": 0.1,
        "final_weight_learning_rate": 0.0,
        "alpha_learning_rate": 6e-4,
    },
    colour="#e07a9b",
)
