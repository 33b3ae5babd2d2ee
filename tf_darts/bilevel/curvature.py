"""The largest eigenvalue of a symmetric matrix that is known by its products."""

from collections.abc import Callable

import numpy as np
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

from tf_darts.errors import UserError

_FEW = 20  # so few rows are multiplied out; Lanczos needs room for its vectors


def largest_eigenvalue(
    product: Callable[[np.ndarray], np.ndarray], size: int, tolerance: float = 1e-5
) -> float:
    """The largest **algebraic** eigenvalue, by Lanczos' method.

    Power iteration would find that of the largest modulus, which may be negative. Of a matrix that
    multiplies a random vector by 0 it is 0: such is a Hessian by α where nothing is left to choose.

    Args:
      product: v -> matrix · v, float64 [size] to the same.
      size: rows of the matrix.
      tolerance: relative, of the eigenvalue.

    Raises:
      UserError: a product is not finite, or the method does not converge.
    """

    def finite(vector: np.ndarray) -> np.ndarray:
        result = product(vector)
        if not np.isfinite(result).all():
            raise UserError(
                "the Hessian by alpha has products that are not finite, so it has no eigenvalue: w"
                " or alpha has grown too large; give a lower learning rate, in another --run_dir."
            )
        return result

    if size <= _FEW:
        matrix = np.array([finite(row) for row in np.eye(size)])
        return float(np.linalg.eigvalsh((matrix + matrix.T) / 2)[-1])
    operator = LinearOperator((size, size), matvec=finite, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(size)
    if not finite(start).any():
        return 0.0
    try:
        values = eigsh(operator, 1, which="LA", v0=start, tol=tolerance, return_eigenvectors=False)
    except ArpackError as error:
        raise UserError(
            f"the largest eigenvalue of a matrix of {size} rows did not converge ({error}); search"
            " in another --run_dir with --precision=float64, or without the rule that asks for it."
        ) from error
    return float(values[0])
