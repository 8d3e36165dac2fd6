"""What relabeling returns, and what it refuses."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...symmetry import Element, SymmetryError, short_repr
from ...symmetry.arrays import real_array
from ..engine.assignment import assign


class Relabeling(NamedTuple):
    """Permutations of the labels, one for each draw.

    :param permutation: ints ``(*sample, n)``: ``new[i] = old[permutation[i]]``.
    :param pivot: what the draws were compared with, its meaning the method's.
    :param objective: the method's own, smaller is better, summed over draws.
    :param iterations: how often the pivot was renewed.
    :param settled: whether the labels came to rest; else they are the best of those that come back
        in turn.
    """

    permutation: np.ndarray
    pivot: np.ndarray
    objective: float
    iterations: int
    settled: bool

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def element(self) -> Element:
        """As an element of the ``Units``: all arrays of the model move by it together."""
        return Element(self.permutation, np.ones(self.permutation.shape))

    def of_sample(self, sample: tuple[int, ...]) -> Relabeling:
        """The same, of draws ``(*sample,)`` that were one flat batch."""
        n = self.permutation.shape[-1]
        return self._replace(permutation=self.permutation.reshape(*sample, n))


def cheapest(cost: np.ndarray) -> tuple[np.ndarray, float]:
    """The permutation of least cost for each draw, and the sum of these costs.

    :param cost: ``[draw, label of the pivot, label of the draw]``.
    """
    permutation = assign(-cost)
    paid = np.take_along_axis(cost, permutation[..., None], -1)
    return permutation, float(paid.sum(dtype=float))


def as_labels(z: Any, n: int, what: str) -> np.ndarray:
    """Allocations as ints in ``0 .. n-1``."""
    labels = real_array(what, "allocations", z, "ints (*sample, observations)", ndim=1)
    if not np.issubdtype(labels.dtype, np.integer):
        raise SymmetryError(f"{what}: allocations must be ints; got dtype {labels.dtype}.")
    if labels.min() < 0 or labels.max() >= n:
        raise SymmetryError(
            f"{what}: allocations must lie in 0 .. {n - 1}; got {labels.min()} .. {labels.max()}. "
            "Labels that count from 1 need 1 taken off."
        )
    return labels


def as_floats(x: Any, ndim: int, what: str) -> np.ndarray:
    """Finite floats with at least so many dimensions."""
    who, _, name = what.partition(": ")
    values = real_array(who, name, x, f"finite numbers with at least {ndim} dimensions", ndim=ndim)
    if np.abs(values).max() > _LARGEST:
        raise SymmetryError(f"{what}: its squares are beyond what numbers hold; rescale it first.")
    return values if np.issubdtype(values.dtype, np.floating) else values.astype(float)


_LARGEST = 1e15  # single precision holds squares and their sums


def as_probabilities(p: Any, what: str) -> np.ndarray:
    """Classification probabilities ``(*sample, observations, n)`` whose rows sum to 1."""
    values = as_floats(p, 3, what)
    if (values < 0).any() or not np.allclose(values.sum(-1), 1, atol=1e-4):
        raise SymmetryError(f"{what} must be probabilities that sum to 1 over the last axis.")
    return values


def relabeled(labels: np.ndarray, permutation: np.ndarray) -> np.ndarray:
    """Allocations in the new labels: what was ``permutation[i]`` is ``i``."""
    return np.take_along_axis(np.argsort(permutation, -1), labels, -1)
