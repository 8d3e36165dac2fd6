"""Relabeling where observations come in groups, each with labels of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ...symmetry import SymmetryError
from ...symmetry.arrays import real_array
from .result import Relabeling


def rows_of_groups(groups: ArrayLike, observations: int, who: str) -> list[np.ndarray]:
    """Which observations each group has.

    :param groups: ints ``(observations,)`` in ``0 .. m-1``, every group with an observation at
        least.
    :raises SymmetryError: where they are none, or a group is empty.
    """
    group = real_array(who, "groups", groups, f"ints of shape ({observations},)", ndim=1)
    if group.shape != (observations,) or not np.issubdtype(group.dtype, np.integer):
        raise SymmetryError(
            f"{who}: groups must be ints of shape ({observations},), one for each observation; got "
            f"shape {group.shape} and dtype {group.dtype}."
        )
    if group.min() < 0:
        raise SymmetryError(f"{who}: groups count from 0; got {group.min()}.")
    counts = np.bincount(group)
    if not counts.all():
        raise SymmetryError(
            f"{who}: group {int(np.argmin(counts))} of {len(counts)} has no observations. Number "
            "the groups 0 .. m-1 without gaps: np.unique(groups, return_inverse=True)[1]."
        )
    return [np.flatnonzero(group == g) for g in range(len(counts))]


def each_by_itself(
    rows: list[np.ndarray],
    relabel: Callable[[np.ndarray], Relabeling],
    *,
    by_observation: bool = True,
) -> Relabeling:
    """The groups' results as one: permutations ``(*sample, groups, n)``, as ``Units`` with a batch
    take them.

    :param relabel: what relabels the observations of these rows.
    :param by_observation: whether a pivot has a row for each observation; else it ends in ``(n,
        features)``.
    :returns: objectives are summed; pivots are back in the order of the observations, or
        ``(..., groups, n, features)``.
    """
    parts = [relabel(of_group) for of_group in rows]
    if by_observation:
        # Row i of the data is entry where[i] of what the groups' rows join to.
        where = np.argsort(np.concatenate(rows))
        pivot = np.concatenate([part.pivot for part in parts])[where]
    else:
        pivot = np.stack([part.pivot for part in parts], -3)
    return Relabeling(
        np.stack([part.permutation for part in parts], -2),
        pivot,
        sum(part.objective for part in parts),
        max(part.iterations for part in parts),
        all(part.settled for part in parts),
    )
