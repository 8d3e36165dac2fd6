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


def total(score: np.ndarray, permutation: np.ndarray) -> np.ndarray:
    """``sum_i score[i, permutation[i]]``, shape ``(batch,)``."""
    return chosen(score, permutation).sum(-1)


def chosen(matrix: np.ndarray, permutation: np.ndarray) -> np.ndarray:
    """``matrix[i, permutation[i]]``, shape ``(batch, n)``."""
    return np.take_along_axis(matrix, permutation[..., None], -1)[..., 0]


def swap_loss(score: np.ndarray, permutation: np.ndarray) -> np.ndarray:
    """How much of the total score the cheapest exchange of two units would lose.

    :param score: floats of shape ``(batch, n, n)``.
    :param permutation: ints of shape ``(batch, n)``.
    :returns: floats of shape ``(batch,)``; infinite where there is nothing to exchange.

    >>> swap_loss(np.array([[[3.0, 0.0], [1.0, 1.0]]]), np.array([[0, 1]]))
    array([3.])
    """
    n = score.shape[-1]
    if n == 1:
        return np.full(len(score), np.inf)
    moved = np.take_along_axis(score, permutation[:, None, :], -1)
    kept = np.diagonal(moved, axis1=-2, axis2=-1)
    loss = kept[:, :, None] + kept[:, None, :] - moved - moved.swapaxes(-1, -2)
    loss[:, np.arange(n), np.arange(n)] = np.inf
    return loss.min((-1, -2))
