"""Whether what was found holds: densities and supports at random points, before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import jax
import numpy as np

from ..symmetry import Element, Symmetry, SymmetryError, Units
from .model import NumPyroModel

Point = dict[str, np.ndarray]


class Trial:
    """Random points of a model with their densities, on the host in float64.

    :param points: points at which the log joint is finite.
    :raises SymmetryError: where there are none.
    """

    def __init__(self, model: NumPyroModel, num_points: int, rng_seed: int) -> None:
        self.model = model
        self.rng = np.random.default_rng(rng_seed)
        self.points: list[Point] = []
        for _ in range(10 * num_points):
            point = model.draw_from(self.rng)
            densities = self.evaluate(point)
            if _finite(densities):
                self.points.append(point)
                single = any(v.dtype == np.float32 for group in densities[:2] for v in group.values())
            if len(self.points) == num_points:
                break
        if len(self.points) < num_points:
            raise SymmetryError(
                f"The model's log joint is not finite at {num_points} of {10 * num_points} random points, so nothing "
                "can be verified."
            )
        self.tolerance = 1e-4 if single else 1e-9

    def evaluate(self, point: Point) -> tuple[dict, dict, dict]:
        """Log densities of latent and of observed sites, and which values lie in their support."""
        return jax.device_get(self.model.evaluate(point))

    def derivatives(self, point: Point) -> tuple[Point, Callable[[Point], Point]]:
        """The log joint's gradient at a point, and the function that multiplies by its Hessian."""
        return jax.device_get(self._gradient(point)), lambda d: jax.device_get(self._times_hessian(point, d))

    @cached_property
    def _gradient(self) -> Callable[..., Any]:
        def joint(point: Point) -> Any:
            latent, observed, _ = self.model.evaluate(point)
            return sum(latent.values()) + sum(observed.values())

        return jax.jit(jax.grad(joint))

    @cached_property
    def _times_hessian(self) -> Callable[..., Any]:
        return jax.jit(lambda point, d: jax.jvp(self._gradient, (point,), (d,))[1])

    def holds(self, units: Sequence[Units], points: Sequence[Point] | None = None) -> bool:
        """Whether a random element of the units' product leaves the model as it is at every point.

        The log joint is held equal (with scales, the log likelihood), and every value in its
        support.
        """
        sym = Symmetry(units)
        scaled = any(u.kind == "scaled" for u in units)
        for point in self.points if points is None else points:
            before, after = (
                self.evaluate(x) for x in (point, sym.act({u.name: self.element(u) for u in units}, point))
            )
            groups = (1,) if scaled else (0, 1)
            size = 1.0 + sum(abs(float(v)) for group in before[:2] for v in group.values())
            change = sum(float(after[g][s] - before[g][s]) for g in groups for s in before[g]) / size
            left = any(before[2][s] and not after[2][s] for s in before[2])
            if not abs(change) <= self.tolerance or left:
                return False
        return True

    def withstands(self, u: Units, num_points: int = 8) -> bool:
        """The same for what nothing proves: many points, near and far, and in order of size.

        A density that only tells whether values are in order looks symmetric where they are not.
        """
        for i in range(num_points):
            drawn = self.model.draw_from(self.rng, (0.3, 1.0, 3.0)[i % 3])
            points = [drawn]
            for site, axes in u.placements:
                entries = np.moveaxis(drawn[site], axes[0].axis, 0)[axes[0].positions(u.n)[0, :, 0]]
                order = np.argsort(entries.reshape(u.n, -1)[:, 0])
                for permutation in (order, order[::-1]):
                    points.append(Symmetry([u]).act({u.name: Element(permutation, np.ones(u.n))}, drawn))
            if not self.holds([u], 2 * [p for p in points if _finite(self.evaluate(p))]):
                return False
        return self.holds([u])

    def element(self, u: Units) -> Element:
        """A random element that is not the identity, on the host."""
        permutation = self.rng.permutation(u.n)
        if u.n > 1 and np.array_equal(permutation, np.arange(u.n)):
            permutation = np.roll(permutation, 1)
        factor = np.ones(u.n)
        if u.kind == "signed":
            factor = self.rng.choice([-1.0, 1.0], u.n)
            factor[self.rng.integers(u.n)] = -1.0
        elif u.kind == "scaled":
            factor = np.exp(self.rng.normal(size=u.n))
        return Element(permutation, factor)


def _finite(densities: tuple[dict, ...]) -> bool:
    return all(np.isfinite(v) for group in densities[:2] for v in group.values())


def verified(trial: Trial, units: Sequence[Units]) -> tuple[list[Units], list[Units]]:
    """The units that hold, and those that do not.

    All are tried at once, permutations and signs against the joint, scales against the
    likelihood; one by one only where that fails.
    """
    together = [u.with_kind("permutation") if u.kind == "scaled" else u for u in units]
    if trial.holds(together) and (together == list(units) or trial.holds(units)):
        return list(units), []
    kept: list[Units] = []
    dropped: list[Units] = []
    for u in units:
        plain = u.with_kind("permutation") if u.kind == "scaled" else u
        (kept if trial.holds([plain]) and trial.holds([u]) else dropped).append(u)
    return kept, dropped
