"""Permutations found by evaluating the model alone, blind to what it is made of.

Take all axes of one length and two positions ``i, j`` on them. Swapping these positions on one
axis after another makes a group whose elements are sets of axes, vectors over GF(2). At a point
that every swap leaves as it is, gradient and Hessian of the log joint split into parts that a
swap multiplies by 1 or -1. If swapping on a set ``S`` of axes is a symmetry, a part that is not
zero must get the sign 1: one linear equation on ``S``. What all equations leave is a candidate,
which is then verified at random points.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from ..symmetry import Axis, Units
from .characters import Form, solutions
from .verify import Point, Trial

SiteAxis = tuple[str, int]

MOST_PAIRS = 12  # neighbours tried one by one; of longer axes only the first two positions
MOST_AXES = 24


def permutations_by_evaluation(trial: Trial, axes: Sequence[SiteAxis], n: int) -> Iterator[Units]:
    """Units on some of these axes, all of length ``n``, that hold; unnamed.

    :param trial: the model and its random points.
    :param axes: where to look.
    """
    axes = axes[:MOST_AXES]
    pairs = [(i, i + 1) for i in range(n - 1)] if n <= MOST_PAIRS else [(0, 1)]
    try:
        candidates = [_candidates(trial, axes, pair) for pair in pairs]
    except NotImplementedError:  # a primitive without derivatives
        return
    for chosen in dict.fromkeys(c for found in candidates for c in found):
        together = [chosen in found for found in candidates]
        runs = _runs(together) if len(pairs) == n - 1 else [(0, n)]
        for start, stop in runs:
            placed: dict[str, tuple[Axis, ...]] = {}
            for site, axis in chosen:
                where = Axis(axis, None if stop - start == n else start, power=0)
                placed[site] = (*placed.get(site, ()), where)
            units = Units("found", stop - start, axes=placed)
            if trial.withstands(units):
                yield units


def _runs(together: Sequence[bool]) -> list[tuple[int, int]]:
    """Longest runs of positions whose neighbours may all be swapped."""
    edges = np.flatnonzero(np.diff(np.r_[False, together, False].astype(int)))
    return [(int(a), int(b) + 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _candidates(trial: Trial, axes: Sequence[SiteAxis], pair: tuple[int, int]) -> list[tuple[SiteAxis, ...]]:
    rows: list[Form] = []
    for point in trial.points:
        for odd in _odd_parts(trial, point, axes, pair):
            rows.append(tuple(((axes.index(a), ()), Fraction(1)) for a in sorted(odd)))
    keys = [(i, ()) for i in range(len(axes))]
    return [tuple(axes[i] for i, _ in keys if v.get((i, ()))) for v in solutions(rows, keys, 2)]


def _odd_parts(
    trial: Trial, point: Point, axes: Sequence[SiteAxis], pair: tuple[int, int]
) -> Iterator[frozenset[SiteAxis]]:
    """Sets of axes of which a symmetry must swap an even number."""
    fixed = dict(point)
    for site, axis in axes:
        fixed[site] = _half(fixed[site], axis, pair, 1)
    # Sites that the swaps do not reach are one direction; of the others, each part is one.
    parts = {site: list(_parts(fixed[site], [a for s, a in axes if s == site])) for site in fixed}
    gradient, times_hessian = trial.derivatives(fixed)
    yield from _nonzero(gradient, parts, pair)
    rng = np.random.default_rng(0)
    even = {s: _projected(rng.normal(size=fixed[s].shape), p[0], pair) for s, p in parts.items()}
    yield from _nonzero(times_hessian(even), parts, pair)
    for site, patterns in parts.items():
        for pattern in patterns[1:]:
            direction = {s: np.zeros_like(x) for s, x in fixed.items()}
            direction[site] = _projected(rng.normal(size=fixed[site].shape), pattern, pair)
            own = frozenset((site, a) for a, sign in pattern if sign < 0)
            for odd in _nonzero(times_hessian(direction), parts, pair, even_too=True):
                yield odd ^ own


Pattern = tuple[tuple[int, int], ...]  # an axis and its sign under the swap there


def _parts(x: np.ndarray, axes: Sequence[int]) -> Iterator[Pattern]:
    for signs in product((1, -1), repeat=len(axes)):
        yield tuple(zip(axes, signs, strict=True))


def _half(x: np.ndarray, axis: int, pair: tuple[int, int], sign: int) -> np.ndarray:
    """The part of an array that a swap along one axis multiplies by ``sign``."""
    order = np.arange(x.shape[axis])
    order[list(pair)] = order[list(pair)][::-1]
    return (x + sign * np.take(x, order, axis)) / 2


def _projected(x: np.ndarray, pattern: Pattern, pair: tuple[int, int]) -> np.ndarray:
    for axis, sign in pattern:
        x = _half(x, axis, pair, sign)
    return x


def _nonzero(
    values: dict[str, Any], parts: dict[str, list[Pattern]], pair: tuple[int, int], even_too: bool = False
) -> Iterator[frozenset[SiteAxis]]:
    """Parts of a gradient that do not vanish, each as the set of axes whose swaps turn its sign."""
    size = 1.0 + max(float(np.max(np.abs(v), initial=0.0)) for v in values.values())
    if not np.isfinite(size):
        return
    for site, patterns in parts.items():
        for pattern in patterns if even_too else patterns[1:]:
            if np.max(np.abs(_projected(values[site], pattern, pair)), initial=0.0) > 1e-9 * size:
                yield frozenset((site, a) for a, sign in pattern if sign < 0)
