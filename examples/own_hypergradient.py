"""An estimate of the hypergradient of one's own: the inverse Hessian by a series, as in iDARTS.

python -m tf_darts.main --load=examples/own_hypergradient.py --mode=search --dataset=digits \
    --space=nasbench201 --method=darts --hypergradient=neumann --run_dir=runs/own_hypergradient

The paper's second order is the case of no further terms (Zhang et al., ICML 2021, equation 9).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_darts.methods import estimated, register_hypergradient

TERMS, RADIUS = 2, 0.1


def neumann(train_loss: Any, validation_loss: Any, weights: Any, alphas: Any, unroll: Any) -> Any:
    """∇_α L_val(w') - ξ·∇²_{α,w} L_train · Σ_k (I - ξ·∇²_w L_train)^k ∇_w L_val(w')."""
    slopes = train_loss.gradients(weights, alphas, of_alphas=False).of_weights
    reached, rate = unroll(slopes)
    validation = validation_loss.gradients(reached, alphas)
    power = total = validation.of_weights
    for _ in range(TERMS):
        shift = RADIUS / tf.linalg.global_norm(power)
        sides = []
        for sign in (1.0, -1.0):
            shifted = [w + sign * shift * p for w, p in zip(weights, power, strict=True)]
            there = train_loss.precise.gradients(shifted, alphas, of_alphas=False)
            sides.append(there.of_weights)
        curved = [(a - b) / (2.0 * shift) for a, b in zip(*sides, strict=True)]
        power = [p - rate * c for p, c in zip(power, curved, strict=True)]
        total = [t + p for t, p in zip(total, power, strict=True)]
    return estimated(alphas, validation, train_loss.mixed_product(weights, alphas, total), rate)


register_hypergradient(
    "neumann",
    neumann,
    f"second order with {TERMS} terms more of the Neumann series (Zhang et al. 2021)",
    order=2,
    vectors=12,
    cost=3 * 3 + 6 + 2 * 3 * TERMS,
)
