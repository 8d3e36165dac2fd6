"""Permutations and signs found by evaluating the model alone, blind to what it is made of.

Take all axes of one length, and on each the same involution: the swap of two positions, or the sign
of one. Applying it on one axis after another makes a group whose elements are sets of axes, vectors
over GF(2). At a point that every involution leaves as it is, gradient and Hessian of the log joint
split into parts that one multiplies by 1 or -1. If applying it on a set ``S`` of axes is a
symmetry, a part that is not zero must get the sign 1: one linear equation on ``S``. What all
equations leave is a candidate, which is then verified at random points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain, product
from typing import Any

import jax
import numpy as np

from ..models import Trial
from ..symmetry import Axis, Element, Units
from ..symmetry.action import act_on_sites
from ..symmetry.bars import advance
from .exponents import Exponents, Unknown, solutions

SiteAxis = tuple[str, int]
Involution = Callable[[np.ndarray, int], np.ndarray]  # of an array, along an axis
Sites = Mapping[str, np.ndarray]
Pattern = tuple[tuple[int, int], ...]  # an axis and its sign under the involution there

MOST_PAIRS = 12  # neighbors tried one by one; of longer axes only the first two positions
MOST_AXES = 24


def swap(i: int, j: int) -> Involution:
    def swapped(x: np.ndarray, axis: int) -> np.ndarray:
        order = np.arange(x.shape[axis])
        order[[i, j]] = j, i
        return np.take(x, order, axis)

    return swapped


def flip(i: int) -> Involution:
    def flipped(x: np.ndarray, axis: int) -> np.ndarray:
        sign = np.where(np.arange(x.shape[axis]) == i, -1.0, 1.0)
        return x * np.expand_dims(sign, [k for k in range(x.ndim) if k != axis % x.ndim])

    return flipped


class Derivatives:
    """Gradient of a model's log joint, and products with its Hessian; the Hessian itself is never
    there.
    """

    def __init__(self, trial: Trial) -> None:
        def joint(point: Sites) -> Any:
            latent, observed, _ = trial.view.evaluate(point)
            return sum(latent.values()) + sum(observed.values())

        self.points = trial.points
        self.gradient = jax.jit(jax.grad(joint))
        self.times_hessian = jax.jit(lambda point, d: jax.jvp(jax.grad(joint), (point,), (d,))[1])

    def candidates(
        self, axes: Sequence[SiteAxis], involution: Involution
    ) -> list[tuple[SiteAxis, ...]]:
        """Sets of axes on which the involution may be a symmetry: a basis of what every equation
        leaves.
        """
        keys = {axis: Unknown(sign=True, symbol=i) for i, axis in enumerate(axes)}
        odd: list[frozenset] = []
        try:
            for point in self.points:
                odd += self._odd_parts(point, axes, involution)
        except Exception:  # a program without derivatives, which JAX says in many ways
            return []
        rows = [Exponents({keys[axis]: Fraction(1) for axis in part}) for part in odd]
        found = []
        for form in solutions(rows, list(keys.values())):
            found.append(tuple(axis for axis in axes if form.get(keys[axis])))
        return found

    def _odd_parts(
        self, point: Sites, axes: Sequence[SiteAxis], involution: Involution
    ) -> Iterator[frozenset]:
        """Sets of axes of which a symmetry must move an even number."""

        def projected(x: np.ndarray, pattern: Pattern) -> np.ndarray:
            for axis, sign in pattern:
                x = (x + sign * involution(x, axis)) / 2
            return x

        # Sites that the involution does not reach are one direction; of the others, each part is
        # one.
        parts: dict[str, list[Pattern]] = {}
        for site in point:
            mine = [axis for s, axis in axes if s == site]
            signs = product((1, -1), repeat=len(mine))
            parts[site] = [tuple(zip(mine, some, strict=True)) for some in signs]
        fixed = {s: projected(x, parts[s][0]) for s, x in point.items()}
        rng = np.random.default_rng(0)

        def nonzero(values: Sites, own: frozenset = frozenset()) -> Iterator[frozenset]:
            advance("evaluations")
            size = 1.0 + max(float(np.max(np.abs(v), initial=0.0)) for v in values.values())
            if not np.isfinite(size):
                return
            for site, patterns in parts.items():
                for pattern in patterns:
                    odd = frozenset((site, a) for a, sign in pattern if sign < 0) ^ own
                    if not odd:
                        continue
                    part = np.abs(projected(np.asarray(values[site]), pattern))
                    if np.max(part, initial=0.0) > 1e-9 * size:
                        yield odd

        yield from nonzero(self.gradient(fixed))
        even = {s: projected(rng.normal(size=x.shape), parts[s][0]) for s, x in fixed.items()}
        yield from nonzero(self.times_hessian(fixed, even))
        for site, patterns in parts.items():
            for pattern in patterns[1:]:
                direction = {s: np.zeros_like(x) for s, x in fixed.items()}
                direction[site] = projected(rng.normal(size=fixed[site].shape), pattern)
                own = frozenset((site, a) for a, sign in pattern if sign < 0)
                yield from nonzero(self.times_hessian(fixed, direction), own)


def found_by_evaluation(
    trial: Trial, derivatives: Derivatives, axes: Sequence[SiteAxis], n: int, signs: bool
) -> Iterator[Units]:
    """Units on some of these axes, all of length ``n``, that hold; unnamed.

    :param trial: the model and its random points.
    :param axes: where to look.
    :param signs: whether to look for signs, too.
    """
    axes = axes[:MOST_AXES]
    pairs = [(i, i + 1) for i in range(n - 1)] if n <= MOST_PAIRS else [(0, 1)]
    candidates = [derivatives.candidates(axes, swap(*pair)) for pair in pairs]
    for chosen in dict.fromkeys(chain.from_iterable(candidates)):
        runs = [(0, n)]
        if len(pairs) == n - 1:
            runs = _runs([chosen in found for found in candidates])
        for start, stop in runs:
            offset = None if stop - start == n else start
            placed: dict[str, tuple[Axis, ...]] = {}
            for site, axis in chosen:
                placed[site] = (*placed.get(site, ()), Axis(axis, offset, power=0))
            units = Units("found", stop - start, axes=placed)
            if withstands(trial, units):
                yield with_signs(trial, derivatives, units) if signs else units


def _runs(together: Sequence[bool]) -> list[tuple[int, int]]:
    """Longest runs of positions whose neighbors may all be swapped."""
    edges = np.flatnonzero(np.diff(np.r_[False, together, False].astype(int)))
    return [(int(a), int(b) + 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def with_signs(trial: Trial, derivatives: Derivatives, units: Units) -> Units:
    """The units with the signs that they have too, if there are any."""
    every = [(site, axis) for site, axs in units.placements for axis in axs]
    (offset, *others) = {axis.offset for _, axis in every}
    if others or any(axis.outer * axis.inner > 1 for _, axis in every):
        return units
    for chosen in derivatives.candidates([(site, a.axis) for site, a in every], flip(offset)):
        placed = {}
        for site, axs in units.placements:
            placed[site] = tuple(replace(a, power=int((site, a.axis) in chosen)) for a in axs)
        signed = Units(units.name, units.n, axes=placed, kind="signed")
        if withstands(trial, signed):
            return signed
    return units


def withstands(trial: Trial, u: Units, num_points: int = 8) -> bool:
    """Whether units that nothing proves hold at many points, near and far, and in order of size.

    A density that only tells whether values are in order looks symmetric where they are not.
    """
    for i in range(num_points):
        drawn = trial.view.draw(trial.rng, (0.3, 1.0, 3.0)[i % 3])
        points = [drawn]
        for site, axes in u.placements:
            order = np.argsort(axes[0].blocks(drawn[site], u.n)[..., 0], axis=-1)
            for by in (order, order[..., ::-1]):
                points.append(act_on_sites(u, Element(by, np.ones(u.shape)), drawn))
        if not trial.holds([u], 2 * list(trial.finite(points))):
            return False
    return trial.holds([u], 2 * trial.everywhere)
