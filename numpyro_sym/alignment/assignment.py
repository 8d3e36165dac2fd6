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
    return assign_from(score, score.argmax(-1))


def assign_from(score: np.ndarray, best: np.ndarray) -> np.ndarray:
    """:func:`assign`, given the best column of each row."""
    batch, n = best.shape
    taken = np.zeros(batch * n, bool)
    taken[(best + np.arange(batch)[:, None] * n).ravel()] = True
    rows = np.flatnonzero(~taken.reshape(batch, n).all(-1))
    if not rows.size:
        return best
    permutation = best.copy()
    permutation[rows] = _solve(-score[rows])
    return permutation


def _solve(cost: np.ndarray) -> np.ndarray:
    # One thread here: whoever has several splits the draws among them.
    if hasattr(lap, "lapjvh_batch"):
        return np.stack(lap.lapjvh_batch(cost, return_cost=False, n_threads=1)[1])
    return np.stack([linear_sum_assignment(c)[1] for c in cost])


def chosen(matrix: np.ndarray, permutation: np.ndarray) -> np.ndarray:
    """``matrix[i, permutation[i]]``, shape ``(batch, n)``."""
    batch, n = permutation.shape
    return matrix[np.arange(batch)[:, None], np.arange(n), permutation]
