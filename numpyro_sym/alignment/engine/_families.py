"""What may be matched on its own: families of ``Units``, and the sets of a batch.

Units that share no site with others make no difference to them, so each family of those that do
is a problem of its own. Where all units of a family run over the same axes of a batch, every set
is a problem of its own too: the batch becomes more draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from ...symmetry import Axis, Element, Symmetry, Units, namespace
from .objective import Objective

Shapes = Mapping[str, tuple[int, ...]]


def families(sym: Symmetry) -> list[Symmetry]:
    """The parts of a symmetry that have no site in common, in the units' order."""
    groups: list[list[Units]] = []
    for u in sym.units:
        joined, apart = [u], []
        for group in groups:
            if any(set(u.sites) & set(v.sites) for v in group):
                joined += group
            else:
                apart.append(group)
        groups = [*apart, joined]
    if len(groups) == 1:
        return [sym]
    return [Symmetry(u for u in sym.units if u in group) for group in groups]


@dataclass(frozen=True, eq=False)
class SetsAsDraws:
    """A family whose batch is taken for more draws.

    :param sym: the units without the dimensions that they have in common.
    :param shape: how many sets there are along each of these.
    :param axes: site name -> the array's axes along which they run.
    :param dimensions: units name -> which dimensions of their batch they are.
    """

    sym: Symmetry
    shape: tuple[int, ...]
    axes: Mapping[str, tuple[int, ...]]
    dimensions: Mapping[str, tuple[int, ...]]

    @property
    def num_sets(self) -> int:
        """How many sets a draw has."""
        return prod(self.shape)

    def sites(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Arrays ``(batch, *site)`` with the sets among the draws, a draw's own after
        each other.
        """
        return {site: in_rows(arrays[site], axes) for site, axes in self.axes.items()}

    def sites_back(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The inverse of :meth:`sites`."""
        return {site: self._back(arrays[site], axes) for site, axes in self.axes.items()}

    def elements(self, elements: Mapping[str, Element]) -> dict[str, Element]:
        """Elements of the family as such of the sets."""
        out = {}
        for name, own in self.dimensions.items():
            permutation, factor = elements[name]
            out[name] = Element(in_rows(permutation, own), in_rows(factor, own))
        return out

    def elements_back(self, elements: Mapping[str, Element]) -> dict[str, Element]:
        """The inverse of :meth:`elements`."""
        out = {}
        for name, own in self.dimensions.items():
            permutation, factor = elements[name]
            out[name] = Element(self._back(permutation, own), self._back(factor, own))
        return out

    def objective(self, objective: Objective) -> Objective:
        """The family's objective, with a reference for each set."""
        weights = None if objective.weights is None else self.sites(objective.weights)
        return Objective(self.sym, self.sites(objective.reference), weights)

    def of_draw(self, values: np.ndarray) -> np.ndarray:
        """Values of the sets, a row for each draw."""
        return values.reshape(-1, self.num_sets)

    def _back(self, x: np.ndarray, axes: Sequence[int]) -> np.ndarray:
        # (batch, *sets, *rest) to (batch, *site)
        apart = x.reshape(-1, *self.shape, *x.shape[1:])
        return namespace(x).moveaxis(apart, range(1, 1 + len(axes)), [1 + a for a in axes])


def sets_as_draws(sym: Symmetry, shapes: Shapes) -> SetsAsDraws | None:
    """A family with its batch taken for draws; ``None`` where its units have no dimension in
    common.
    """
    first = sym.units[0]
    found = [_common_dimension(sym, shapes, j) for j in range(len(first.batch))]
    common = [pair for pair in found if pair is not None]
    if not common:
        return None
    axes = {site: tuple(where[site] for where, _ in common) for site in sym.sites}
    dimensions = {u.name: tuple(own[u.name] for _, own in common) for u in sym}
    shape = tuple(first.batch[j] for j in dimensions[first.name])
    rest = Symmetry(_without(u, dimensions[u.name], axes, shapes) for u in sym)
    return SetsAsDraws(rest, shape, axes, dimensions)


def _common_dimension(
    sym: Symmetry, shapes: Shapes, dimension: int
) -> tuple[dict[str, int], dict[str, int]] | None:
    """Where a dimension of the first units' batch runs on each site, and which it is of each units'
    batch.

    ``None`` where some units lie on its sites and have no batch along it.
    """
    first = sym.units[0]
    where: dict[str, int] = {}
    own = {first.name: dimension}
    todo = [first]
    while todo:
        u = todo.pop()
        for site, axs in u.placements:
            for a in axs:
                axis = a.batch_axes[own[u.name]] % len(shapes[site])
                # All axes of the units must run over the same sets.
                if where.setdefault(site, axis) != axis:
                    return None
        for v in sym:
            for site in set(v.sites) & set(where):
                for b in v.axes[site]:
                    along = [axis % len(shapes[site]) for axis in b.batch_axes]
                    runs = [k for k, axis in enumerate(along) if axis == where[site]]
                    if not runs or own.get(v.name, runs[0]) != runs[0]:
                        return None
                    if v.name not in own:
                        own[v.name] = runs[0]
                        todo.append(v)
    return where, own


def lone_outer(sym: Symmetry, shapes: Shapes) -> Units | None:
    """The units that permute the sets of all others, where there are such and they lie once on each
    array.
    """
    for s in sym:
        inner = _inner_units(sym, s)
        permutes_all = len(inner) == len(sym.units) - 1
        if inner and permutes_all and _lie_once(s, shapes) and not s.has_scales:
            return s
    return None


def _inner_units(sym: Symmetry, outer: Units) -> list[Units]:
    """The units whose sets some units permute."""
    return [u for u in sym if any(s == outer for _, s in sym.outer_of(u))]


def _lie_once(u: Units, shapes: Shapes) -> bool:
    """Whether units lie on one axis of each of their arrays."""
    for site, axs in u.placements:
        axes = {a.axis % len(shapes[site]) for a in axs}
        if len(axes) > 1:
            return False
    return True


def wreaths(sym: Symmetry, shapes: Shapes) -> list[Symmetry]:
    """The units that permute the sets of others, each with those, where the two are matched
    together.

    Where outer units lie twice on one array, or sets are permuted by several, they stand alone.
    """
    found = []
    for s in sym:
        inner = _inner_units(sym, s)
        if not inner:
            continue
        whole = Symmetry([s, *inner])
        found.append(whole if lone_outer(whole, shapes) is not None else Symmetry([s]))
    return found


def _without(
    u: Units, dimensions: Sequence[int], axes: Mapping[str, tuple[int, ...]], shapes: Shapes
) -> Units:
    """The units of one set."""
    placed = {}
    for site, axs in u.placements:
        placed[site] = tuple(without_axes(a, axes[site], len(shapes[site])) for a in axs)
    batch = tuple(m for k, m in enumerate(u.batch) if k not in dimensions)
    return Units(u.name, u.n, axes=placed, kind=u.kind, batch=batch)


def without_axes(axis: Axis, removed: Sequence[int], ndim: int) -> Axis:
    """The same axis of an array from which others were taken; a batch that ran over
    them is gone.
    """
    own = axis.resolved(ndim)

    def moved(a: int) -> int:
        return a - sum(r < a for r in removed)

    batch = tuple(moved(b) for b in own.batch_axes if b not in removed)
    return replace(own, axis=moved(own.axis), batch=batch)


def in_rows(x: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    """An array ``(batch, *site)`` whose axes ``axes`` of ``site`` became rows: ``(batch * sets,
    *rest)``.
    """
    # (batch, *sets, *rest)
    front = namespace(x).moveaxis(x, [1 + a for a in axes], range(1, 1 + len(axes)))
    return front.reshape(-1, *front.shape[1 + len(axes) :])
