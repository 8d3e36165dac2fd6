"""Many linear assignment problems at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

lap: Any
try:
    import lap
except ImportError:  # lapx has no wheel here: SciPy's solver is the same optimum, later
    lap = None


def assign(score: np.ndarray) -> np.ndarray:
    """The permutations of largest total score: ``sum_i score[i, permutation[i]]``.

    Where the best entries of the rows lie in different columns they are the optimum, and no
    problem is solved: the usual case for draws of one mode.

    :param score: finite floats of shape ``(batch, n, n)``.
    :returns: ints of shape ``(batch, n)``.

    >>> assign(np.array([[[0.0, 1.0], [1.0, 1.5]]]))
    array([[1, 0]])
    """
    best = score.argmax(-1)
    taken = np.zeros(best.shape, bool)
    np.put_along_axis(taken, best, True, -1)
    open_ = np.flatnonzero(~taken.all(-1))
    if open_.size:
        best[open_] = _solve(-score[open_])
    return best


def _solve(cost: np.ndarray) -> np.ndarray:
    # One thread here: whoever has several splits the draws among them.
    if hasattr(lap, "lapjvh_batch"):
        return np.stack(lap.lapjvh_batch(cost, return_cost=False, n_threads=1)[1])
    return np.stack([linear_sum_assignment(c)[1] for c in cost])


def chosen(matrix: np.ndarray, permutation: np.ndarray) -> np.ndarray:
    """``matrix[i, permutation[i]]``, shape ``(batch, n)``."""
    return np.take_along_axis(matrix, permutation[..., None], -1)[..., 0]
