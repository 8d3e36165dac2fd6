"""What is matched, and what a match is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from ...symmetry import Element, Symmetry
from .moves import Elements
from .objective import Arrays, Objective
from .scores import take

#: Names of starts, elements to start from, or ``None``: whatever is usual.
Starts = Sequence[str] | Elements | None

# Where one draw is matched in many ways at once, so many bytes are in work.
_EXPANDED_BYTES = 2**26


class Match(NamedTuple):
    """Aligned sites and elements of a batch, and arrays of shape ``(batch,)``.

    :param loss: by how much squared distance grows with the cheapest single change.
    :param settled: whether every unit is the best of all for its slot, or the nearest.
    :param exact: whether the distance is the least over the group.
    :param starts: how many starts were made.
    """

    elements: dict[str, Element]
    sites: dict[str, np.ndarray]
    distance: np.ndarray
    distance_before: np.ndarray
    loss: np.ndarray
    settled: np.ndarray
    exact: np.ndarray
    starts: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """By how much the distance grows with the cheapest single change."""
        return np.sqrt(np.square(self.distance) + self.loss) - self.distance

    def replace_where(self, better: np.ndarray, rows: np.ndarray, other: Match) -> None:
        """Take over what another match of some rows has, where it is better, in place."""
        for whole, values in zip(jax.tree.leaves(self), jax.tree.leaves(other), strict=True):
            whole[rows[better]] = values[better]


class Problem(NamedTuple):
    """Draws to be matched to their references.

    :param draws: site name -> array ``(batch, *site)``.
    :param objective: the references; draw ``i`` has number ``i`` modulo their count.
    """

    draws: Arrays
    objective: Objective

    @property
    def sym(self) -> Symmetry:
        """The symmetry."""
        return self.objective.sym

    @property
    def batch(self) -> int:
        """How many draws there are."""
        return len(next(iter(self.draws.values())))

    def of(self, sym: Symmetry) -> Problem:
        """The same for a part of the units, on their sites."""
        return Problem({site: self.draws[site] for site in sym.sites}, self.objective.of(sym))

    def take(self, rows: np.ndarray | slice) -> Problem:
        """Some of the draws."""
        numbers = np.arange(self.batch)[rows]
        some = {site: x[rows] for site, x in self.draws.items()}
        return Problem(some, self.objective.of_rows(numbers))

    def repeated(self, times: int) -> Problem:
        """Each draw so many times, after itself."""
        return self.take(np.repeat(np.arange(self.batch), times))


#: Whoever matches a part of a problem.
Solve = Callable[[Problem, Starts], Match]


def in_chunks(problem: Problem, starts: Starts, copies: int, work: Solve) -> Match:
    """A problem whose draws are each worked at in several copies, a chunk of draws at a time."""
    per_draw = copies * sum(x[:1].nbytes for x in problem.draws.values())
    size = max(1, _EXPANDED_BYTES // max(per_draw, 1))
    if size >= problem.batch:
        return work(problem, starts)
    found = []
    for begin in range(0, problem.batch, size):
        rows = slice(begin, begin + size)
        given = starts
        if isinstance(starts, Mapping):
            given = {name: take(e, rows) for name, e in starts.items()}
        found.append(work(problem.take(rows), given))
    return jax.tree.map(lambda *some: np.concatenate(some), *found)
