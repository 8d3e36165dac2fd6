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
        self.before: list[tuple[dict, dict, dict]] = []
        for key in jax.random.split(jax.random.key(rng_seed), 10 * num_points):
            point = {name: np.asarray(x) for name, x in model.draw(key).items()}
            densities = self.evaluate(point)
            if all(np.isfinite(v) for group in densities[:2] for v in group.values()):
                self.points.append(point)
                self.before.append(densities)
            if len(self.points) == num_points:
                break
        if not self.points:
            raise SymmetryError(
                "The model's log joint is not finite at any of the random points tried, so nothing can be verified."
            )
        single = any(v.dtype == np.float32 for group in self.before[0][:2] for v in group.values())
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

    def change(self, units: Sequence[Units], num_elements: int = 2) -> float:
        """The largest relative change under random elements of the units' product.

        The log joint is held equal (with scales, the log likelihood), and every value in its
        support. The first change that is too large is returned at once.
        """
        sym = Symmetry(units)
        scaled = any(u.kind == "scaled" for u in units)
        worst = 0.0
        for point, (latent, observed, inside) in zip(self.points, self.before, strict=True):
            size = 1.0 + sum(abs(float(v)) for group in (latent, observed) for v in group.values())
            for _ in range(num_elements):
                moved = self.evaluate(sym.act({u.name: self.element(u) for u in units}, point))
                after = (moved[1],) if scaled else moved[:2]
                before = (observed,) if scaled else (latent, observed)
                change = sum(float(a[s] - b[s]) for a, b in zip(after, before, strict=True) for s in b) / size
                left = any(inside[s] and not moved[2][s] for s in inside)
                worst = max(worst, abs(change)) if np.isfinite(change) and not left else np.inf
                if worst > self.tolerance:
                    return worst
        return worst

    def holds(self, units: Sequence[Units]) -> bool:
        """Whether units leave the model as it is."""
        return self.change(units) <= self.tolerance

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
