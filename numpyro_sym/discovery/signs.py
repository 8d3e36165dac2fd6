"""Signs that ``Units`` of one unit express: of a whole array, of one position, of all units of a
class at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from ..symmetry import Axis, Units
from .classes import Class, Place, Reading, places

MOST_SINGLE_SIGNS = 64  # units told apart whose signs are listed one by one

Flip = frozenset[
    tuple[str, int, int]
]  # where signs act: site, axis, position; together by symmetric difference


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
                flip ^= _at(place, unit) if on else frozenset()
            yield unit, flip


def array_flips(reading: Reading) -> Iterator[Flip]:
    """Signs of whole arrays and of single positions."""
    for vector in reading.signs:
        flip: Flip = frozenset()
        for name, value in reading.sites.items():
            for var, place in places(name, value):
                flip ^= _at(place) if var.size == 1 and vector.get(place.key) else frozenset()
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
        flips = [_flip_of(u, i) for i in each] if u.has_signs else []
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
    odd = (
        [(site, a) for site, axes in u.placements for a in axes if u.has_factor_on(a)]
        if u.batch
        else []
    )
    if not u.has_signs or any(shapes[site][a.axis] != a.length(u.n) for site, a in odd):
        return
    for d, length in enumerate(u.batch):
        for i in range(length):
            yield frozenset((site, a.batch_axes[d], i) for site, a in odd)


def _flip_of(u: Units, which: int | slice) -> Flip:
    flip: Flip = frozenset()
    for site, axis in (
        (site, a) for site, axes in u.placements for a in axes if (a.power or 0) % 2
    ):
        flip ^= {(site, axis.axis, int(p)) for p in axis.positions(u.n)[:, which].ravel()}
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
        flip ^= other if entry in flip else frozenset()
    if flip:
        span[max(flip)] = flip
    return bool(flip)


def flip_units(flip: Flip, shapes: Mapping[str, Sequence[int]]) -> Units:
    """A flip as ``Units`` with one unit, still without a name."""
    axes: dict[str, tuple[Axis, ...]] = {}
    for site, axis in sorted(
        {(site, axis) for site, axis, _ in flip}, key=lambda at: ([*shapes].index(at[0]), at[1])
    ):
        on = sorted(p for s, a, p in flip if (s, a) == (site, axis))
        runs = Axis.of_entries(axis, np.reshape(on, (-1, 1, 1)), shapes[site][axis], power=1) or ()
        axes[site] = (*axes.get(site, ()), *runs)
    return Units("found", 1, axes=axes, kind="signed")
