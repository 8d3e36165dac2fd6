"""A model's densities at random points, before and after a symmetry acts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .action import act_on_sites
from .element import Element
from .errors import SymmetryError
from .units import Units
from .view import ModelView


class Changes(NamedTuple):
    """Largest relative changes by site and of the sums, and the sites that left their support."""

    latent: dict[str, float]
    observed: dict[str, float]
    joint: float
    likelihood: float
    left_support: tuple[str, ...]


class Trial:
    """Random points of a model at which its log joint is finite, and what happens there under random elements.

    :param points: the points, on the host.
    :param num_elements: random elements tried at each point.
    :param precision: the dtype in which the model runs.
    :param tolerance: the largest relative change that rounding explains.
    :raises SymmetryError: where too few such points are found.
    """

    def __init__(self, view: ModelView, num_points: int, rng: np.random.Generator, num_elements: int = 1) -> None:
        self.view, self.rng, self.num_elements = view, rng, num_elements
        drawn = (view.draw(rng) for _ in range(10 * num_points))
        self.points = [
            point for point, _ in zip((p for p in drawn if self.is_finite(p)), range(num_points), strict=False)
        ]
        if len(self.points) < num_points:
            raise SymmetryError(
                f"The model's log joint is not finite at {num_points} of {10 * num_points} random points, so nothing "
                "can be compared."
            )
        # Sums of N terms carry rounding of about 1e-16 * N of their size; a model that computes in float32 whatever it
        # is given can be held to no more than single precision.
        self.precision = str(jnp.zeros(()).dtype)
        single = [any(v.dtype == np.float32 for v in group.values()) for group in self.evaluate(self.points[0])[:2]]
        self.prior_tolerance, self.tolerance = (1e-4 if is_single else 1e-9 for is_single in (single[0], any(single)))

    def evaluate(self, point: Any) -> tuple[dict, dict, dict]:
        """Log densities of latent and of observed sites, and which values lie in their support."""
        return jax.device_get(self.view.evaluate(point))

    def is_finite(self, point: Any) -> bool:
        return all(np.isfinite(v) for group in self.evaluate(point)[:2] for v in group.values())

    def changes(self, units: Sequence[Units], points: Sequence[Any] | None = None) -> Changes:
        """What random elements of the units' product change at every point."""
        found = Changes({}, {}, 0.0, 0.0, ())
        for point in self.points if points is None else points:
            before = self.evaluate(point)
            prior_size, size = (
                1.0 + sum(abs(float(v)) for group in before[:k] for v in group.values()) for k in (1, 2)
            )
            for _ in range(self.num_elements):
                moved = point
                for u in units:
                    moved = act_on_sites(u, moving_element(u, self.rng), moved)
                after = self.evaluate(moved)
                latent = {s: float(after[0][s] - v) for s, v in before[0].items()}
                observed = {s: float(after[1][s] - v) for s, v in before[1].items()}
                prior, likelihood = sum(latent.values()), sum(observed.values())
                # Where the prior changes, the likelihood has to undo that change: being large does not excuse it.
                scale = size if abs(prior) <= self.prior_tolerance * prior_size else min(size, abs(prior))
                left = {s for s, inside in before[2].items() if inside and not after[2][s]}
                found = Changes(
                    {s: _larger(found.latent.get(s, 0.0), d / prior_size) for s, d in latent.items()},
                    {s: _larger(found.observed.get(s, 0.0), d / size) for s, d in observed.items()},
                    _larger(found.joint, (prior + likelihood) / scale),
                    _larger(found.likelihood, likelihood / size),
                    tuple(sorted({*found.left_support, *left})),
                )
        return found

    def holds(self, units: Sequence[Units], points: Sequence[Any] | None = None) -> bool:
        """Whether random elements of the units' product leave the model as it is at every point.

        The log joint is held equal (with scales, the log likelihood), and every value in its support.
        """
        changes = self.changes(units, points)
        change = changes.likelihood if any(u.kind == "scaled" for u in units) else changes.joint
        return change <= self.tolerance and not changes.left_support


def _larger(a: float, change: float) -> float:
    """The larger absolute change; one that is not a number counts as infinite."""
    return max(a, abs(change)) if np.isfinite(change) else float("inf")


def moving_element(u: Units, rng: np.random.Generator) -> Element:
    """A random element, on the host, that moves units and has a factor that is not 1 where there are any."""
    permutation = rng.permutation(u.n)
    if np.array_equal(permutation, np.arange(u.n)):
        permutation = np.roll(permutation, 1)
    factor = np.ones(u.n)
    if u.kind == "signed":
        factor = rng.choice([-1.0, 1.0], u.n)
        factor[rng.integers(u.n)] = -1.0
    elif u.kind == "scaled":
        factor = np.exp(rng.normal(size=u.n))
    return Element(permutation, factor)
