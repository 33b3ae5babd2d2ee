"""The joint baselines (docs/method.md section 6): α and w on the same data.

The bilevel problem is dropped; both steps read training and validation data together. *Alternating*
is then the bilevel step in first order, α's step on one batch and w's on another.
"""

from tf_darts.config.methods import register_method

register_method(
    "joint_alternating",
    "a baseline: alternating steps of alpha and w on all data",
    optimization="joint_alternating",
    hypergradient="first_order",
    colour="#3b8a4a",
)
register_method(
    "joint_simultaneous",
    "a baseline: alpha is one more weight, moved by w's SGD on all data",
    optimization="joint_simultaneous",
    hypergradient="first_order",
    step="tf_darts.bilevel.simultaneous:SimultaneousStep",
    unused=(
        "alpha_learning_rate",
        "alpha_beta_1",
        "alpha_beta_2",
        "alpha_weight_decay",
        "alpha_clip_norm",
        "step_order",
    ),
    colour="#b8860b",
)
