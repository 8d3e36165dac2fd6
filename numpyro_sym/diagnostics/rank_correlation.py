"""How alike two orders are."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..symmetry import SymmetryError
from ..symmetry.arrays import real_array


def kendall_tau(first: Any, second: Any) -> np.ndarray:
    """Kendall's rank correlation: pairs in the same order less pairs in the other, as a share of
    all.

    Between values by which the units of two draws are sorted (norms, biases), or between
    permutations: 1 for the same order, -1 for the reverse, 0 on average for unrelated ones
    (Laurent, Aldea and Franchi 2024, arXiv 2310.08287). Ties count for neither (tau-a).

    :param first: values of shape ``(..., n)``.
    :param second: values of a shape that broadcasts.
    :returns: floats of the sample shape.
    :raises SymmetryError: where there are fewer than two, or the numbers differ.

    >>> kendall_tau([1, 2, 3, 4], [[1, 2, 3, 4], [4, 3, 2, 1], [2, 1, 3, 4]]).round(3).tolist()
    [1.0, -1.0, 0.667]
    """
    expected = "orders (..., n), n at least 2"
    a = real_array("kendall_tau", "first", first, expected, ndim=1).astype(float)
    b = real_array("kendall_tau", "second", second, expected, ndim=1).astype(float)
    n = a.shape[-1] if a.ndim else 0
    if n < 2 or b.shape[-1:] != (n,):
        raise SymmetryError(
            f"kendall_tau: expected two orders of the same n >= 2; got shapes {a.shape} and "
            f"{b.shape}."
        )
    try:
        total = np.zeros(np.broadcast_shapes(a.shape[:-1], b.shape[:-1]))
    except ValueError:
        raise SymmetryError(
            f"kendall_tau: shapes {a.shape} and {b.shape} do not broadcast."
        ) from None
    # All pairs at one distance at a time, so that memory stays that of the draws.
    for lag in range(1, n):
        agree = np.sign(a[..., lag:] - a[..., :-lag]) * np.sign(b[..., lag:] - b[..., :-lag])
        total += agree.sum(-1)
    return total / (n * (n - 1) / 2)
