"""How the groups of several ``Units`` go together: directly, or as a wreath product.

Two ``Units`` that commute make a direct product. Where one permutes the array axes on which the
batch of the other runs (members of an ensemble; the others are each member's hidden units), the
two make a wreath product: the inner units act first, then the outer ones. With an outer element
``s`` and an inner one ``h``,

    (s, h) x = s (h x),    (s, h)(t, k) = (s t, h'),    h'[c] = h[t^-1(c)] k[c]

since ``t^-1 h t`` acts on set ``c`` as ``h`` does on the set that ``t`` sends to ``c``'s place.
Signs of the outer units multiply whole sets and commute with everything inner. Outer units may have
a batch themselves (the heads of each layer), which runs over the rest of the inner units' batch: at
each place of it there is one such product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import combinations, permutations
from typing import NamedTuple

import numpy as np

from .action import act_on_axis
from .axis import Axis
from .errors import SymmetryError
from .opening import opened, why_not_opened
from .units import Units


class Outer(NamedTuple):
    """Units that permute a dimension of the batch of others.

    :param dimension: of the inner units' batch.
    :param name: of the outer units.
    :param within: for each dimension of the outer units' own batch, which one it is of the inner
        ones'.
    """

    dimension: int
    name: str
    within: tuple[int, ...]


#: Inner units' name -> those that permute their batch, by dimension.
Outers = dict[str, tuple[Outer, ...]]


def outers_of(units: Sequence[Units]) -> Outers:
    """Which units permute the batch of which others.

    :returns: an entry for each units whose batch is permuted, its dimensions in their order.
    :raises SymmetryError: where two units neither commute nor make a wreath product.
    """
    if why := why_no_group(units):
        raise SymmetryError(why)
    units = opened(units).units
    found: dict[str, list[Outer]] = {}
    for inner, outer in permutations(units, 2):
        for dimension in _dimensions_moved(outer, inner):
            within = _batch_within(outer, inner)
            assert within is not None  # else they make no group
            found.setdefault(inner.name, []).append(Outer(dimension, outer.name, within))
    return {name: tuple(sorted(some)) for name, some in found.items()}


def why_no_group(units: Sequence[Units]) -> str | None:
    """Which two units neither commute nor make a wreath product, and why; ``None`` where all go
    together.
    """
    if why := why_not_opened(units):
        return why
    units = opened(units).units
    for inner, outer in permutations(units, 2):
        if why := _why_no_wreath(outer, inner):
            return why
    for first, second in combinations(units, 2):
        if why := _why_not_commuting(first, second):
            return why
    return None


def _dimensions_moved(outer: Units, inner: Units) -> set[int]:
    """The dimensions of the inner units' batch that the outer ones permute."""
    if outer.n == 1:  # a single unit has a factor alone, the same for a whole set
        return set()
    return {dimension for _, _, dimension, _ in _meetings(outer, inner)}


def _batch_within(outer: Units, inner: Units) -> tuple[int, ...] | None:
    """For each dimension of the outer units' batch, which dimension it is of the batch that they
    permute.

    :returns: ``None`` where it is none of them, or not the same on every site.
    """
    ways: set[tuple[int, ...]] = set()
    for _, b, _, a in _meetings(outer, inner):
        if not set(a.batch_axes) <= set(b.batch_axes):
            return None
        ways.add(tuple(b.batch_axes.index(k) for k in a.batch_axes))
    return ways.pop() if len(ways) == 1 else None


def _why_no_wreath(outer: Units, inner: Units) -> str | None:
    """Why outer units permute the inner ones' batch in a way that makes no group of the two."""
    moved = _dimensions_moved(outer, inner)
    if not moved:
        return None
    if _batch_within(outer, inner) is None:
        return (
            f"Units {outer.name!r} permute the batch of Units {inner.name!r} and have a batch "
            f"{outer.batch} of their "
            "own, which does not run over the same dimensions of that batch on every site. Let "
            "each dimension of it "
            "run over one of the inner ones' batch axes everywhere, or leave one of the two out."
        )
    if len(moved) > 1:
        return (
            f"Units {outer.name!r} permute {len(moved)} dimensions of the batch of Units "
            f"{inner.name!r} at once and do "
            "not commute with them. Make one Units of each dimension, or leave one of the two out."
        )
    (dimension,) = moved
    for site, b, _, a in _meetings(outer, inner):
        is_whole = a.start is None and a.outer == a.inner == 1 and outer.n == inner.batch[dimension]
        if not is_whole:
            return (
                f"Units {inner.name!r} and {outer.name!r} do not commute on site {site!r}: the "
                "batch of the first runs "
                f"over axis {b.batch_axes[dimension]}, of length {inner.batch[dimension]}, and "
                "the second permute "
                f"{outer.n} units {a} of it. Only units that permute the whole batch go together "
                "with it."
            )
    for site, b in _batched(inner):
        where = b.batch_axes[dimension]
        if not any(a.axis == where for a in outer.axes.get(site, ())):
            return (
                f"Units {outer.name!r} permute the batch of Units {inner.name!r}, but not on site "
                f"{site!r}, where "
                f"that batch runs over axis {where}: a set that moves takes all of its sites "
                "along. Add "
                f"axes={{{site!r}: {where}}} to {outer.name!r} (counted from the same end), or "
                "leave one out."
            )
    return None


def _meetings(outer: Units, inner: Units) -> Iterable[tuple[str, Axis, int, Axis]]:
    """Where outer units lie on an axis of the inner ones' batch: site, inner axis, dimension, outer
    axis.
    """
    for site, b in _batched(inner):
        for k, where in enumerate(b.batch_axes):
            for a in outer.axes.get(site, ()):
                if a.axis == where:
                    yield site, b, k, a


def _batched(units: Units) -> Iterable[tuple[str, Axis]]:
    """Every site and axis that says where the units' batch runs: of what they lie along, and of
    labels.
    """
    for site, axs in units.placements:
        for axis in axs:
            yield site, axis
    yield from units.labeled


def _why_not_commuting(first: Units, second: Units) -> str | None:
    """Two runs over one axis must commute; with batches, at each place of the batches they are one
    pair of runs.
    """
    for site in first.values.keys() & second.values.keys():
        return (
            f"Site {site!r} holds labels of Units {first.name!r} and of Units {second.name!r}: a "
            "label names one unit. "
            "Make them one Units, or leave the site out of one."
        )
    for labels, along in ((first, second), (second, first)):
        for site, axs in along.placements:
            if site in labels.values and any(along.has_factor_on(axis) for axis in axs):
                return (
                    f"Units {along.name!r} act with factors on site {site!r}, which holds labels "
                    "of Units "
                    f"{labels.name!r}: labels have no sign and no scale. Name it in axes={{...}} "
                    f"of {along.name!r}."
                )
    second_axes = second.axes
    for site, axs in first.placements:
        for a in axs:
            for b in second_axes.get(site, ()):
                if a.axis == b.axis and not _commute(first, a, second, b):
                    return (
                        f"Units {first.name!r} and {second.name!r} both move axis {a.axis} of "
                        f"site {site!r} and do "
                        "not commute there. Give them disjoint blocks, or make them one Units."
                    )
    return None


def _commute(first: Units, a: Axis, second: Units, b: Axis) -> bool:
    if not np.intersect1d(a.positions(first.n), b.positions(second.n)).size:
        return True
    return _motions_commute(_on_one_axis(first, a), _on_one_axis(second, b))


def _on_one_axis(u: Units, axis: Axis) -> Units:
    """One set of units on one axis, as units of an array of one dimension."""
    return Units(
        "units",
        u.n,
        axes={"x": Axis(0, axis.offset, axis.outer, axis.inner, axis.power)},
        kind=u.kind,
    )


@lru_cache(maxsize=1024)  # layers of one network meet in the same way
def _motions_commute(first: Units, second: Units) -> bool:
    a, b = first.axes["x"][0], second.axes["x"][0]
    x = np.arange(1.0, max(a.offset + a.length(first.n), b.offset + b.length(second.n)) + 1)
    for g in first.generators():
        for h in second.generators():
            one = act_on_axis(first, g, act_on_axis(second, h, x, b, 0), a, 0)
            other = act_on_axis(second, h, act_on_axis(first, g, x, a, 0), b, 0)
            if not np.array_equal(one, other):
                return False
    return True
