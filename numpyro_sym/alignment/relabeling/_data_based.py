"""Relabeling by the data: Rodriguez and Walker 2014."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ...symmetry import SymmetryError, kinds
from ...symmetry.arguments import check_arguments
from ...symmetry.bars import progress
from .in_groups import each_by_itself, rows_of_groups
from .result import Relabeling, as_floats, as_labels, cheapest
from .rounds import Turns, go_round


def data_based(
    allocations: ArrayLike,
    data: ArrayLike,
    n: kinds.Positive,
    groups: ArrayLike | None = None,
    *,
    progress_bar: bool = True,
) -> Relabeling:
    """Labels under which each component keeps the observations near one center.

    Rodriguez and Walker 2014: an observation costs its squared distance from the center of its
    label, in the label's standard deviations. Centers and deviations begin evenly spread over
    the data's range, and are then the means over draws of the relabeled components', until the
    labels rest, or come back in turn: ``settled`` says which. (The paper renews them draw by draw,
    in one pass.)

    :param allocations: ints ``(*sample, observations)`` in ``0 .. n-1``.
    :param data: floats ``(observations,)`` or ``(observations, features)``.
    :param n: number of components.
    :param groups: ints ``(observations,)`` in ``0 .. m-1``, where each group of observations (a
        subject, say) has labels of its own: permutations are then ``(*sample, m, n)``, for
        ``Units`` with ``batch=m``.
    :param progress_bar: whether to show one where it takes long.
    :returns: a :class:`Relabeling`; its pivot holds centers and deviations, ``(2, n, features)``,
        with groups ``(2, m, n, features)``.
    :raises SymmetryError: where labels are not ints in ``0 .. n-1``, or the shapes do not fit.

    >>> data_based([[1, 1, 0]], [0.0, 0.2, 5.0], n=2).permutation
    array([[1, 0]])
    """
    check_arguments(data_based, locals())
    labels = as_labels(allocations, n, "data_based")
    y = as_floats(data, 1, "data_based: data").astype(float)
    if y.ndim == 1:
        y = y[:, None]
    if y.ndim != 2 or labels.shape[-1:] != y.shape[:1]:
        raise SymmetryError(
            f"data_based: data has shape {np.shape(data)}; expected {labels.shape[-1]} "
            "observations."
        )
    if groups is not None:
        rows = rows_of_groups(groups, len(y), "data_based")

        def relabeled(some: np.ndarray) -> Relabeling:
            return data_based(labels[..., some], y[some], n)

        with progress("data_based", "rounds", progress_bar):
            return each_by_itself(rows, relabeled, by_observation=False)
    moments = _moments(labels.reshape(-1, len(y)), y, n)
    spread = np.where(np.ptp(y, axis=0) > 0, np.ptp(y, axis=0), 1)
    # (label, feature)
    center = y.min(0) + spread * np.arange(1, n + 1)[:, None] / (n + 1)
    deviation = np.broadcast_to(spread / n, center.shape)

    def renew(permutation: np.ndarray, pivot: np.ndarray) -> np.ndarray:
        return np.stack(_estimates(moments, permutation, *pivot))

    turns = Turns(lambda pivot: cheapest(_cost(moments, *pivot)), renew)
    with progress("data_based", "rounds", progress_bar):
        return go_round(turns, np.stack([center, deviation])).of_sample(labels.shape[:-1])


def _moments(
    labels: np.ndarray, y: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number, sum and sum of squares of each draw's observations under each label."""
    # One number for each draw and label.
    cells = (np.arange(len(labels))[:, None] * n + labels).ravel()

    def summed(values: np.ndarray) -> np.ndarray:
        weights = np.broadcast_to(values, labels.shape).ravel()
        return np.bincount(cells, weights, len(labels) * n).reshape(-1, n)

    # (draw, label), and (draw, label, feature)
    count = summed(np.ones(len(y)))
    first = np.stack([summed(column) for column in y.T], -1)
    second = np.stack([summed(column**2) for column in y.T], -1)
    return count, first, second


def _cost(
    moments: tuple[np.ndarray, np.ndarray, np.ndarray], center: np.ndarray, deviation: np.ndarray
) -> np.ndarray:
    """``cost[k, l]``: what the observations of label l would cost under label k."""
    count, first, second = moments
    first, second = first.swapaxes(-1, -2), second.swapaxes(-1, -2)  # (draw, feature, label)
    weight = deviation**-2.0
    away = (center**2 * weight).sum(-1)[:, None] * count[:, None, :]
    return weight @ second - 2 * (center * weight) @ first + away


def _estimates(moments, permutation: np.ndarray, center: np.ndarray, deviation: np.ndarray):
    """Means over draws of the relabeled components' means and deviations, where they have
    observations.
    """
    count, first, second = moments
    # (draw, new label, feature)
    old = permutation[..., None]
    count = np.take_along_axis(count[..., None], old, 1)
    first = np.take_along_axis(first, old, 1)
    second = np.take_along_axis(second, old, 1)
    mean = first / np.maximum(count, 1)
    variance = np.maximum(second / np.maximum(count, 1) - mean**2, 0)
    present, spread = count > 0, (count > 1) & (variance > 0)

    def average(values: np.ndarray, where: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
        number = where.sum(0)
        found = np.where(where, values, 0).sum(0) / np.maximum(number, 1)
        return np.where(number > 0, found, otherwise)

    return average(mean, present, center), average(np.sqrt(variance), spread, deviation)
