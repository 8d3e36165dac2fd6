"""Many linear assignment problems at once."""

from __future__ import annotations

from typing import Any

import numpy as np

lap: Any
try:
    import lap
except ImportError:  # lapx has no wheel here: SciPy's solver is the same optimum, later
    lap = None


def assign(score: np.ndarray) -> np.ndarray:
    """The permutations of largest total score: ``sum_i score[i, permutation[i]]``.

    Where the best entries of the rows lie in different columns they are the optimum, and no
    problem is solved: the usual case for draws of one mode.

    :param score: finite floats of shape ``(*batch, n, n)``.
    :returns: ints of shape ``(*batch, n)``.

    >>> assign(np.array([[[0.0, 1.0], [1.0, 1.5]]]))
    array([[1, 0]])
    """
    best = score.argmax(-1)
    return assign_from(score, best, chosen(score, best))


def assign_from(score: np.ndarray, best: np.ndarray, top: np.ndarray) -> np.ndarray:
    """:func:`assign`, given the best column of each row and its score."""
    n = best.shape[-1]
    if best.ndim != 2:
        # One problem for each draw and set.
        found = assign_from(score.reshape(-1, n, n), best.reshape(-1, n), top.reshape(-1, n))
        return found.reshape(best.shape)
    batch = len(best)
    # (problem * column): whether it is the best of some row
    taken = np.zeros(batch * n, bool)
    taken[(best + np.arange(batch)[:, None] * n).ravel()] = True
    doubtful = ~taken.reshape(batch, n).all(-1)
    if not doubtful.any():
        return best
    rows = slice(None) if doubtful.all() else np.flatnonzero(doubtful)
    permutation = best.copy()
    # The same problem with nothing to pay for a row's best: solvers take less to it than to
    # ``-score``.
    permutation[rows] = _solve(top[rows][..., None] - score[rows])
    return permutation


def _solve(cost: np.ndarray) -> np.ndarray:
    # One thread here: whoever has several splits the draws among them.
    if hasattr(lap, "lapjvh_batch"):
        found = lap.lapjvh_batch(cost, return_cost=False, n_threads=1)[1]
        return np.concatenate(found).reshape(cost.shape[:2])
    from scipy.optimize import linear_sum_assignment

    return np.stack([linear_sum_assignment(c)[1] for c in cost])


def chosen(matrix: np.ndarray, permutation: np.ndarray) -> np.ndarray:
    """``matrix[i, permutation[i]]`` of each problem, shape ``(*batch, n)``."""
    n = permutation.shape[-1]
    # Where each row begins in the flat array.
    rows = np.arange(0, permutation.size * n, n).reshape(permutation.shape)
    return matrix.reshape(-1).take(permutation + rows)
