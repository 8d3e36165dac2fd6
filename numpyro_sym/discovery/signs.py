"""Signs that ``Units`` of one unit express: of a whole array, of one position, of all units of a
class at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..symmetry import Axis, Units
from ..symmetry.axis import open_axes
from .classes import Class, Place, Reading, places

MOST_SINGLE_SIGNS = 64  # units told apart whose signs are listed one by one

#: Where signs act: site, axis, position. Two together are their symmetric difference.
Flip = frozenset[tuple[str, int, int]]


def _at(place: Place, unit: int | None = None) -> Flip:
    entries = place.positions if unit is None else place.positions[:, unit]
    return frozenset((place.site, place.axis, int(p)) for p in entries.ravel())


def class_flips(c: Class) -> Iterator[tuple[int | None, Flip]]:
    """The signs of a class, with the position each belongs to.

    Where the units are interchangeable: each sign pattern for all units at once. Where they are
    told apart: each pattern for each unit.
    """
    single = not c.alive and c.var.size <= MOST_SINGLE_SIGNS
    for pattern in c.parities:
        for unit in range(c.var.size) if single else (None,):
            flip: Flip = frozenset()
            for place, on in zip(c.places, pattern, strict=True):
                if on:
                    flip ^= _at(place, unit)
            yield unit, flip


def array_flips(reading: Reading) -> Iterator[Flip]:
    """Signs of whole arrays and of single positions."""
    for vector in reading.signs:
        flip: Flip = frozenset()
        for name, value in reading.sites.items():
            for var, place in places(name, value):
                if var.size == 1 and vector.get(place.key):
                    flip ^= _at(place)
            if any(vector.get(key) for key in value.exponents):
                flip ^= {(name, 0, p) for p in range((value.shape or (1,))[0])}
        if flip:
            yield flip


def without_redundant(units: Iterable[Units], shapes: Mapping[str, Sequence[int]]) -> list[Units]:
    """Units less the signs that are products of signs that others have.

    Of single signs nothing is left then; units that permute a batch, such as members of an
    ensemble, keep their permutations.
    """
    span: dict[tuple, Flip] = {}
    kept = []
    units = list(units)
    for u in units:
        for flip in _flips_of_sets(u, shapes):
            _independent(flip, shapes, span)
    for u in sorted(units, key=lambda u: u.n == 1):
        each = range(u.n) if u.n <= MOST_SINGLE_SIGNS else [slice(None)]
        flips = [_flip_of(u, i, shapes) for i in each] if u.has_signs else []
        independent = [_independent(flip, shapes, span) for flip in flips]
        if any(independent) or (u.n > 1 and (not u.has_signs or u.n > MOST_SINGLE_SIGNS)):
            kept.append(u)
        elif u.n > 1:
            kept.append(u.with_kind("permutation"))
    return kept


def _flips_of_sets(u: Units, shapes: Mapping[str, Sequence[int]]) -> Iterator[Flip]:
    """The sign of all units at one index of a dimension of their batch, as the sign of what lies
    there.
    """
    if not u.has_signs or not u.batch:
        return
    odd = [(site, a) for site, axs in u.placements for a in axs if u.has_factor_on(a)]
    for site, a in odd:
        left = a.left_by_batch(tuple(shapes[site]), u.batch)
        if left is None or left[a.axis] != a.length(u.n):
            return  # something else lies along the axis, too, within one set
    for d, length in enumerate(u.batch):
        for i in range(length):
            flip: Flip = frozenset()
            for site, a in odd:
                on = _positions_of_set(a, shapes[site], d, i)
                flip |= {(site, a.batch_axes[d], int(p)) for p in on}
            yield flip


def _taken_apart(axis: Axis, k: int, length: int) -> np.ndarray:
    """The positions along one axis of an array, ``(*sets, rest)``, as the runs of a batch along it
    take them apart; ``(rest,)`` where there are none.
    """
    runs = [b for b in axis.batch_runs if isinstance(b, Axis) and b.axis == k]
    alone = Axis(batch=tuple(replace(run, axis=0) for run in runs))
    return open_axes(np.arange(length), alone.opened()[1])


def _positions_of_set(axis: Axis, shape: Sequence[int], d: int, i: int) -> np.ndarray:
    """Which positions belong to index ``i`` of dimension ``d`` of a batch, along its axis."""
    if not isinstance(axis.batch_runs[d], Axis):
        return np.array([i])
    k = axis.batch_axes[d]
    earlier = axis.batch_axes[:d].count(k)  # runs along the same axis come before it
    return np.take(_taken_apart(axis, k, shape[k]), i, earlier).ravel()


def _flip_of(u: Units, which: int | slice, shapes: Mapping[str, Sequence[int]]) -> Flip:
    flip: Flip = frozenset()
    for site, axs in u.placements:
        for axis in axs:
            if not (axis.power or 0) % 2:
                continue
            positions = _taken_apart(axis, axis.axis, shapes[site][axis.axis])
            on = positions[..., axis.positions(u.n)[:, which].ravel()].ravel()
            flip ^= {(site, axis.axis, int(p)) for p in on}
    return flip


def _independent(flip: Flip, shapes: Mapping[str, Sequence[int]], span: dict[tuple, Flip]) -> bool:
    """Whether a flip is no product of those in the span, each kept under an entry of its own; it is
    added then.
    """
    for site, axis, _ in [entry for entry in flip if entry[2] == 0]:
        # One form for flips that act alike: the sign of a whole axis is that of the array,
        # whichever the axis.
        flip ^= {(site, axis, p) for p in range(shapes[site][axis])} ^ {(site, -1, 0)}
    for entry, other in span.items():
        if entry in flip:
            flip ^= other
    if flip:
        span[max(flip)] = flip
    return bool(flip)


def flip_units(flip: Flip, shapes: Mapping[str, Sequence[int]]) -> Units:
    """A flip as ``Units`` with one unit, still without a name."""
    axes: dict[str, tuple[Axis, ...]] = {}
    order = [*shapes]
    places = {(site, axis) for site, axis, _ in flip}
    for site, axis in sorted(places, key=lambda at: (order.index(at[0]), at[1])):
        on = sorted(p for s, a, p in flip if (s, a) == (site, axis))
        runs = Axis.of_entries(axis, np.reshape(on, (-1, 1, 1)), shapes[site][axis], power=1) or ()
        axes[site] = (*axes.get(site, ()), *runs)
    return Units("found", 1, axes=axes, kind="signed")
