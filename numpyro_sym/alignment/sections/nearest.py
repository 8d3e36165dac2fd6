"""Folding to the point of the orbit that is nearest to a reference."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from ...symmetry import Element, Symmetry, SymmetryError, kinds
from ...symmetry.arguments import check_arguments
from ...symmetry.stacks import stacked_shapes
from ...symmetry.symmetry import on_opened_arrays
from ..engine.listing import is_exact
from ..engine.nearest_step import parts, settled
from .in_stacks import SectionInStacks
from .protocol import Section

Elements = dict[str, Element]


class Nearest:
    """Fold by the least Euclidean distance to a reference point: ``Folded(kernel, sym,
    keys=Nearest(point))``.

    One assignment settles the order and the signs of one ``Units``, so the representative is the
    same for all points of an orbit: an exact section that uses all coordinates, where a sorted
    one uses one.

    :param reference: site name -> array of the site's shape; a draw, or a mode.

    >>> import jax.numpy as jnp
    >>> from numpyro_sym import mixture
    >>> nearest = Nearest({"mu": jnp.array([0.0, 5.0])})
    >>> section = nearest.section(mixture(2, {"mu": 0}), {"mu": (2,)})
    >>> section.settle({"mu": jnp.array([5.5, 0.5])})[1]["mu"].tolist()
    [0.5, 5.5]
    """

    def __init__(self, reference: kinds.Point) -> None:
        check_arguments(Nearest.__init__, locals())
        self.reference = dict(reference)

    def section(self, sym: Symmetry, shapes: kinds.Shapes) -> Section:
        """The section for one symmetry.

        :raises SymmetryError: where ``Units`` share arrays, or one acts on two axes of an array:
            the nearest point is then a hard problem, and a local optimum is no section. Units whose
            sets others permute, as the members of an ensemble do, are settled exactly.
        """
        check_arguments(Nearest.section, locals())
        self._refuse_misfit(sym, shapes)
        if sym.stacks:
            return self._in_stacks(sym, shapes)
        plain, way = on_opened_arrays(sym.without_values(), shapes)
        shapes = way.shapes(shapes)
        for u in plain:
            for site, axs in u.placements:
                if len({a.axis % len(shapes[site]) for a in axs}) > 1:
                    raise SymmetryError(
                        f"Nearest: Units {u.name!r} lie on several axes of site {site!r}, which no "
                        "single assignment settles. Fold by sorted keys, or say "
                        "ApproximatelyNearest."
                    )
        if not is_exact(plain, shapes):
            raise SymmetryError(
                f"Nearest: {len(sym)} Units {[u.name for u in sym]} are settled together by no "
                "single assignment, so the fold would not be exact. Fold by sorted keys, or say "
                "ApproximatelyNearest."
            )
        return NearestSection(sym, self.reference, sweeps=1)

    def _in_stacks(self, sym: Symmetry, shapes: kinds.Shapes) -> Section:
        """The section of sites that are stacked."""
        on_stacks = copy(self)
        on_stacks.reference = sym.stack(self.reference)
        arrays = stacked_shapes(sym.stacks, shapes)
        return SectionInStacks(sym, on_stacks.section(sym.on_arrays(), arrays))

    def _refuse_misfit(self, sym: Symmetry, shapes: Mapping[str, tuple[int, ...]]) -> None:
        sym.refuse_scaled(type(self).__name__)
        sym.check_shapes(shapes)
        for site in sym.sites:
            if site not in self.reference:
                raise SymmetryError(f"{type(self).__name__}: the reference lacks site {site!r}.")
            if np.shape(self.reference[site]) != tuple(shapes[site]):
                raise SymmetryError(
                    f"{type(self).__name__}: site {site!r} has shape "
                    f"{np.shape(self.reference[site])} in the "
                    f"reference; expected {tuple(shapes[site])}."
                )
            if not np.isfinite(self.reference[site]).all():
                raise SymmetryError(
                    f"{type(self).__name__}: the reference has NaN or infinity at site {site!r}."
                )


class ApproximatelyNearest(Nearest):
    """Fold several ``Units`` towards a reference, each in turn with the others held: a local
    optimum.

    Draws stay on their orbits, so invariant functions are what they were. But two points of one
    orbit may go to different representatives: what comes out need not follow the posterior
    restricted to any one reference set.

    :param reference: site name -> array of the site's shape.
    :param sweeps: how often to go through all ``Units``.
    """

    def __init__(self, reference: kinds.Point, *, sweeps: kinds.Positive = 5) -> None:
        check_arguments(ApproximatelyNearest.__init__, locals())
        super().__init__(reference)
        self.sweeps = sweeps

    def section(self, sym: Symmetry, shapes: kinds.Shapes) -> Section:
        """The section for one symmetry."""
        check_arguments(Nearest.section, locals())
        self._refuse_misfit(sym, shapes)
        if sym.stacks:
            return self._in_stacks(sym, shapes)
        return NearestSection(sym, self.reference, self.sweeps)


@dataclass(frozen=True, eq=False)
class NearestSection:
    """Assignments to a reference, one ``Units`` after another.

    :param sym: the symmetry.
    :param reference: site name -> array.
    :param sweeps: how often to go through all ``Units``.
    """

    sym: Symmetry
    reference: Mapping[str, Any]
    sweeps: int

    def settle(self, sites: Mapping[str, Any]) -> tuple[Elements, dict[str, Any]]:
        """The element that brings one point near, and the moved point; jit- and vmap-able."""
        given = self.sym.without_values()
        shapes = {site: jnp.shape(sites[site]) for site in given.sites}
        plain, way = on_opened_arrays(given, shapes)
        out, reference, total = way.open(sites), way.open(self.reference), plain.identity()
        for _ in range(self.sweeps):
            for part in parts(plain, way.shapes(shapes)):
                total, out = settled(plain, part, reference, out, total)
        return total, {**way.close(out), **self.sym.moved_labels(total, sites)}

    def __str__(self) -> str:
        lines = [f"{u.name}: nearest to a reference on {', '.join(u.sites)}" for u in self.sym]
        return "\n".join(lines)
