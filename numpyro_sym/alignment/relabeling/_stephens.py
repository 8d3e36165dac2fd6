"""Stephens' relabeling by Kullback-Leibler divergence."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ...symmetry.arguments import check_arguments
from ...symmetry.bars import progress
from .in_groups import each_by_itself, rows_of_groups
from .probabilities import by_label, chunks, mean_relabeled, smallest
from .result import Relabeling, as_probabilities, cheapest
from .rounds import Turns, descend, from_the_best
from .starts import few_of, mean_starts, spread_starts


def stephens(
    probabilities: ArrayLike, groups: ArrayLike | None = None, *, progress_bar: bool = True
) -> Relabeling:
    """Labels under which all draws classify the observations alike: Stephens 2000, algorithm 2.

    Lowers the sum over draws of the Kullback-Leibler divergence of the mean relabeled
    probabilities from the draw's, by turns in the mean and in the labels, to a local minimum: the
    best that is reached from several draws and means of draws. Probabilities below the square root
    of the smallest number (1e-19 in single precision) are taken for zero.

    :param probabilities: floats ``(*sample, observations, n)``: of each observation's component,
        given a draw.
    :param groups: ints ``(observations,)`` in ``0 .. m-1``, where each group of observations (a
        subject, say) has labels of its own: permutations are then ``(*sample, m, n)``, for
        ``Units`` with ``batch=m``.
    :param progress_bar: whether to show one where it takes long.
    :returns: a :class:`Relabeling`; its pivot is the mean, its objective the summed divergence.
    :raises SymmetryError: where they are no probabilities, or groups do not fit.

    >>> p = np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.1, 0.9], [0.8, 0.2]]])
    >>> stephens(p).pivot
    array([[0.9, 0.1],
           [0.2, 0.8]])
    """
    check_arguments(stephens, locals())
    p = as_probabilities(probabilities, "stephens: probabilities")
    if groups is not None:
        rows = rows_of_groups(groups, p.shape[-2], "stephens")
        with progress("stephens", "rounds", progress_bar):
            return each_by_itself(rows, lambda of_group: stephens(p[..., of_group, :]))
    flat = p.reshape(-1, *p.shape[-2:])  # (draw, observation, label)
    at = few_of(*flat.shape)
    few = flat[at]
    whole = None if len(at) == len(flat) else _divergence(flat)
    starts = spread_starts(few, mean_starts(few))

    def as_they_came() -> np.ndarray:
        return flat.mean(0, dtype=float)

    with progress("stephens", "rounds", progress_bar):
        found = from_the_best(descend, _divergence(few), starts, whole, as_they_came)
    return found.of_sample(p.shape[:-2])


def _divergence(probabilities: np.ndarray) -> Turns:
    """``cost[k, l] = sum_i p[i, l] log(p[i, l] / mean[i, k])``, and its assignment."""
    p = by_label(probabilities)  # (draw, label, observation)
    least, n = smallest(p.dtype), p.shape[1]
    # What a draw's label costs whatever the mean, (draw, label).
    own = np.empty(p.shape[:2], p.dtype)
    for chunk in chunks(p):
        own[chunk] = (p[chunk] * np.log(np.maximum(p[chunk], least))).sum(-1)

    def match(mean: np.ndarray) -> tuple[np.ndarray, float]:
        log_mean = np.log(np.maximum(mean, least)).astype(p.dtype)  # (observation, label)
        permutations, total = [], 0.0
        for chunk in chunks(p):
            shared = p[chunk].reshape(-1, p.shape[-1]) @ log_mean
            cost = own[chunk, None, :] - shared.reshape(-1, n, n).swapaxes(-1, -2)
            permutation, paid = cheapest(cost)
            permutations.append(permutation)
            total += paid
        return np.concatenate(permutations), total

    return Turns(match, lambda permutation, _mean: mean_relabeled(p, permutation))
