"""The largest eigenvalue of a symmetric matrix that is known by its products."""

from collections.abc import Callable

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from tf_darts.errors import UserError

_FEW = 20  # so few rows are multiplied out; Lanczos needs room for its vectors


def largest_eigenvalue(
    product: Callable[[np.ndarray], np.ndarray], size: int, tolerance: float = 1e-5
) -> float:
    """The largest **algebraic** eigenvalue, by Lanczos' method.

    Power iteration would find that of the largest modulus, which may be negative.

    Args:
      product: v -> matrix · v, float64 [size] to the same.
      size: rows of the matrix.
      tolerance: relative, of the eigenvalue.

    Raises:
      UserError: the method does not converge.
    """
    if size <= _FEW:
        matrix = np.array([product(row) for row in np.eye(size)])
        return float(np.linalg.eigvalsh((matrix + matrix.T) / 2)[-1])
    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(size)
    try:
        values = eigsh(operator, 1, which="LA", v0=start, tol=tolerance, return_eigenvectors=False)
    except ArpackNoConvergence as error:
        raise UserError(
            f"the largest eigenvalue of a matrix of {size} rows did not converge ({error}); compute"
            " with --precision=float64, or leave the rule out that asks for it."
        ) from error
    return float(values[0])
