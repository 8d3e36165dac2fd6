"""Stephens' relabelling by Kullback-Leibler divergence."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ...symmetry import SymmetryError
from .in_groups import each_by_itself, rows_of_groups
from .result import Relabelling, as_probabilities, cheapest, chunks, mean_relabelled

_MAX_ITERATIONS = 1000


def stephens(probabilities: ArrayLike, groups: ArrayLike | None = None) -> Relabelling:
    """Labels under which all draws classify the observations alike: Stephens 2000, algorithm 2.

    Lowers the sum over draws of the Kullback-Leibler divergence of the mean relabelled
    probabilities from the draw's, by turns in the mean and in the labels, to a local minimum;
    the first draw is the first mean.

    :param probabilities: floats ``(*sample, observations, n)``: of each observation's component,
        given a draw.
    :param groups: ints ``(observations,)`` in ``0 .. m-1``, where each group of observations (a
        subject, say) has labels of its own: permutations are then ``(*sample, m, n)``, for
        ``Units`` with ``batch=m``.
    :returns: a :class:`Relabelling`; its pivot is the mean, its objective the summed divergence.
    :raises SymmetryError: where they are no probabilities, or groups do not fit.

    >>> p = np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.1, 0.9], [0.8, 0.2]]])
    >>> stephens(p).pivot
    array([[0.9, 0.1],
           [0.2, 0.8]])
    """
    p = as_probabilities(probabilities, "stephens: probabilities")
    if groups is not None:
        rows = rows_of_groups(groups, p.shape[-2], "stephens")
        return each_by_itself(rows, lambda of_group: stephens(p[..., of_group, :]))
    flat = p.reshape(-1, *p.shape[-2:])  # (draw, observation, label)
    n = flat.shape[-1]
    pivot, best = flat[0].astype(float), np.inf
    for iteration in range(_MAX_ITERATIONS):
        permutation, divergence = _relabelled(flat, pivot)
        if not divergence < best - 1e-9 * abs(divergence):
            return Relabelling(permutation.reshape(*p.shape[:-2], n), pivot, divergence, iteration)
        best, pivot = divergence, mean_relabelled(flat, permutation)
    raise SymmetryError(
        f"stephens: the labels have not come to rest after {_MAX_ITERATIONS} iterations."
    )


def _relabelled(p: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, float]:
    """``cost[k, l] = sum_i p[i, l] log(p[i, l] / mean[i, k])``, and its assignment."""
    tiny = np.finfo(p.dtype).tiny
    log_mean = np.log(np.maximum(mean, tiny)).T.astype(p.dtype)  # (label, observation)
    permutations, total = [], 0.0
    for chunk in chunks(p):
        own = (p[chunk] * np.log(np.maximum(p[chunk], tiny))).sum(-2)  # (draw, label)
        permutation, cost = cheapest(own[:, None, :] - log_mean @ p[chunk])
        permutations.append(permutation)
        total += cost
    return np.concatenate(permutations), total
