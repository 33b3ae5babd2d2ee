"""The paper's relaxation."""

from tf_darts.bilevel.relaxation import Relaxation
from tf_darts.config.methods import register


@register("softmax")
class Softmax(Relaxation):
    """The softmax of each edge's row of alpha (eq. 2)."""
