"""DARTS (Liu, Simonyan, Yang 2019) in its three estimates of the hypergradient."""

from tf_darts.config.methods import register_method

register_method("darts", "the paper's method, second order (eqs. 7 and 8)", colour="#1f6fb4")
register_method(
    "darts_first",
    "the paper's method, first order (xi = 0)",
    hypergradient="first_order",
    colour="#d1602a",
)
register_method(
    "darts_exact",
    "the paper's method, second order by differentiating twice",
    hypergradient="exact",
    colour="#7a4fa3",
)
