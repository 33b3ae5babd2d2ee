"""What the tests against golden numbers have in common."""

import numpy as np
import tensorflow as tf

from tf_darts.bilevel.curvature import largest_eigenvalue


def error(ours, theirs):
    """Relative to the norm of what is right."""
    return np.linalg.norm(np.asarray(ours) - theirs) / np.linalg.norm(theirs)


def state_of(golden):
    """The weights and buffers among golden numbers, by the names that PyTorch gives them."""
    return {
        name.split("/", 1)[1]: value
        for name, value in golden.items()
        if name.startswith(("param/", "buffer/"))
    }


def check_hessian(loss, weights, alphas, golden, prefix):
    """Compares a loss's Hessian by α with the golden one, and finds its largest eigenvalue."""
    matrix = golden[f"{prefix}/hessian"]
    names = list(alphas)
    vector = np.random.default_rng(0).standard_normal(len(matrix))
    ends = np.cumsum([tf.size(alphas[name]) for name in names])
    parts = [
        tf.reshape(tf.constant(part), alphas[name].shape)
        for name, part in zip(names, np.split(vector, ends[:-1]), strict=True)
    ]
    product = np.concatenate([np.ravel(x) for x in loss.hessian_product(weights, alphas, parts)])
    assert error(product, matrix @ vector) < 1e-9
    # By the golden matrix, whose products are the same: ours take a minute.
    largest = largest_eigenvalue(lambda v: matrix @ v, len(matrix), 1e-10)
    assert abs(largest / golden[f"{prefix}/largest_algebraic"] - 1) < 1e-9
