"""Equivalence classes representatives: Papastamoulis and Iliopoulos 2010."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from ...symmetry import SymmetryError, kinds
from ...symmetry.arguments import check_arguments
from ...symmetry.bars import progress
from .in_groups import each_by_itself, rows_of_groups
from .probabilities import by_label, mean_relabeled
from .result import Relabeling, as_labels, as_probabilities, cheapest, relabeled
from .rounds import Turns, descend, from_the_best, go_round
from .starts import few_of, mean_starts, one_hot, spread_starts


def ecr(
    allocations: ArrayLike, pivot: ArrayLike, n: kinds.Positive, groups: ArrayLike | None = None
) -> Relabeling:
    """Labels that agree with those of a pivot for as many observations as possible.

    :param allocations: ints ``(*sample, observations)`` in ``0 .. n-1``: each draw's component of
        each observation.
    :param pivot: ints ``(observations,)``: the allocation to agree with, for instance that of the
        draw of highest posterior density.
    :param n: number of components.
    :param groups: ints ``(observations,)`` in ``0 .. m-1``, where each group of observations (a
        subject, say) has labels of its own: permutations are then ``(*sample, m, n)``, for
        ``Units`` with ``batch=m``.
    :returns: a :class:`Relabeling`; its objective is the number of disagreements.
    :raises SymmetryError: where labels are not ints in ``0 .. n-1``, or the shapes do not fit.

    >>> ecr([[1, 1, 0]], [0, 0, 1], n=2).permutation
    array([[1, 0]])
    """
    check_arguments(ecr, locals())
    labels, at = as_labels(allocations, n, "ecr"), as_labels(pivot, n, "ecr: the pivot")
    if at.ndim != 1 or labels.ndim < 1 or labels.shape[-1:] != at.shape:
        raise SymmetryError(f"ecr: the pivot has shape {at.shape}; expected {labels.shape[-1:]}.")
    if groups is not None:
        rows = rows_of_groups(groups, len(at), "ecr")
        return each_by_itself(rows, lambda of_group: ecr(labels[..., of_group], at[of_group], n))
    permutation, disagreements = _match(labels.reshape(-1, len(at)), at, n)
    return Relabeling(permutation.reshape(*labels.shape[:-1], n), at, disagreements, 0, True)


def ecr_iterative(
    allocations: ArrayLike,
    n: kinds.Positive,
    groups: ArrayLike | None = None,
    *,
    progress_bar: bool = True,
) -> Relabeling:
    """ECR whose pivot is the commonest label of each observation, until it is still.

    Papastamoulis 2014 (ECR-ITERATIVE-1), begun with the labels of several draws and of means of
    draws; where it ends best is kept.

    :param allocations: ints ``(*sample, observations)`` in ``0 .. n-1``.
    :param n: number of components.
    :param groups: ints ``(observations,)`` in ``0 .. m-1``, where each group of observations (a
        subject, say) has labels of its own: permutations are then ``(*sample, m, n)``, for
        ``Units`` with ``batch=m``.
    :param progress_bar: whether to show one where it takes long.
    :returns: a :class:`Relabeling`; its objective is the number of disagreements.
    :raises SymmetryError: where labels are not ints in ``0 .. n-1``, or groups do not fit.

    >>> ecr_iterative([[0, 0, 1], [1, 1, 0], [0, 0, 1]], n=2).permutation.tolist()
    [[0, 1], [1, 0], [0, 1]]
    """
    check_arguments(ecr_iterative, locals())
    labels = as_labels(allocations, n, "ecr_iterative")
    if groups is not None:
        rows = rows_of_groups(groups, labels.shape[-1], "ecr_iterative")
        with progress("ecr_iterative", "rounds", progress_bar):
            return each_by_itself(rows, lambda of_group: ecr_iterative(labels[..., of_group], n))
    flat = labels.reshape(-1, labels.shape[-1])
    at = few_of(*flat.shape, n)
    few = flat[at]
    whole = None if len(at) == len(flat) else _iterative(flat, n)
    means = mean_starts(one_hot(few, n))
    starts = spread_starts(few, [mean.argmax(-1) for mean in means])

    def as_they_came() -> np.ndarray:
        return commonest(flat, n)

    with progress("ecr_iterative", "rounds", progress_bar):
        found = from_the_best(descend, _iterative(few, n), starts, whole, as_they_came)
    return found.of_sample(labels.shape[:-1])


def _iterative(labels: np.ndarray, n: int) -> Turns:
    """The pivot is the commonest label of each observation."""

    def renew(permutation: np.ndarray, _pivot: np.ndarray) -> np.ndarray:
        return commonest(relabeled(labels, permutation), n)

    return Turns(partial(_match, labels, n=n), renew)


def commonest(labels: np.ndarray, n: int) -> np.ndarray:
    """Which label most draws give each observation."""
    observations = labels.shape[-1]
    # One number for an observation and a label: in how many draws.
    cells = labels + np.arange(observations) * n
    return np.bincount(cells.ravel(), minlength=observations * n).reshape(-1, n).argmax(-1)


def ecr_soft(
    allocations: ArrayLike,
    probabilities: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    progress_bar: bool = True,
) -> Relabeling:
    """ECR whose pivot is the likeliest label under the mean of the relabeled probabilities.

    Papastamoulis 2014 (ECR-ITERATIVE-2), begun with the labels of several draws and of means of
    draws; where it ends best is kept. Its two turns have no objective in common, so that they may
    go round in a circle: ``settled`` says whether they did.

    :param allocations: ints ``(*sample, observations)`` in ``0 .. n-1``.
    :param probabilities: floats ``(*sample, observations, n)``: of each observation's component,
        given a draw.
    :param groups: ints ``(observations,)`` in ``0 .. m-1``, where each group of observations (a
        subject, say) has labels of its own: permutations are then ``(*sample, m, n)``, for
        ``Units`` with ``batch=m``.
    :param progress_bar: whether to show one where it takes long.
    :returns: a :class:`Relabeling`; its objective is the number of disagreements.
    :raises SymmetryError: where labels or probabilities are none, or the shapes do not fit.
    """
    check_arguments(ecr_soft, locals())
    p = as_probabilities(probabilities, "ecr_soft: probabilities")
    n = p.shape[-1]
    labels = as_labels(allocations, n, "ecr_soft")
    if labels.shape != p.shape[:-1]:
        raise SymmetryError(
            f"ecr_soft: allocations have shape {labels.shape}; expected {p.shape[:-1]}."
        )
    if groups is not None:
        rows = rows_of_groups(groups, labels.shape[-1], "ecr_soft")
        with progress("ecr_soft", "rounds", progress_bar):
            return each_by_itself(rows, lambda some: ecr_soft(labels[..., some], p[..., some, :]))
    flat, soft = labels.reshape(-1, labels.shape[-1]), p.reshape(-1, *p.shape[-2:])
    at = few_of(*flat.shape, n)
    few = flat[at]
    whole = None if len(at) == len(flat) else _soft(flat, soft)
    means = mean_starts(soft[at])
    starts = spread_starts(few, [mean.argmax(-1) for mean in means])

    def as_they_came() -> np.ndarray:
        return soft.mean(0).argmax(-1)

    with progress("ecr_soft", "rounds", progress_bar):
        found = from_the_best(go_round, _soft(few, soft[at]), starts, whole, as_they_came)
    return found.of_sample(labels.shape[:-1])


def _soft(labels: np.ndarray, p: np.ndarray) -> Turns:
    """The pivot is the likeliest label of each observation."""
    own = by_label(p)

    def renew(permutation: np.ndarray, _pivot: np.ndarray) -> np.ndarray:
        return mean_relabeled(own, permutation).argmax(-1)

    return Turns(partial(_match, labels, n=p.shape[-1]), renew)


def _match(labels: np.ndarray, pivot: np.ndarray, n: int) -> tuple[np.ndarray, float]:
    """Permutations of least disagreement, by the draws' contingency tables with the pivot."""
    draw = np.arange(len(labels))[:, None]
    # (draw, observation): one number for a draw, its label and the pivot's
    cells = (draw * n + pivot) * n + labels
    counts = np.bincount(cells.ravel(), minlength=len(labels) * n * n)
    # (draw, label of the pivot, label of the draw)
    agreements = counts.reshape(-1, n, n).astype(float)
    permutation, cost = cheapest(-agreements)
    return permutation, labels.size + cost
