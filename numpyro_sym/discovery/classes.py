"""From the types of a model's sites to ``Units``: which positions, which factors, where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from math import gcd, lcm
from typing import Any

import numpy as np

from ..symmetry import Axis
from .characters import Form, Key, solutions
from .inference import Value, Walk
from .layout import Layout, Occ, Var, expand, leaves, normal, term_size

MOST_SINGLE_SIGNS = 64  # units told apart whose signs are listed one by one


@dataclass(frozen=True)
class Place:
    """One occurrence of a class on one axis of a site.

    :param key: the unknown exponent with which the class's factors act there.
    :param positions: entries along the axis, shape ``(outer, n, inner)``.
    """

    site: str
    axis: int
    key: Key
    positions: np.ndarray

    def blocks(self, power: int) -> list[Axis] | None:
        """The place as axes of ``Units``, one a run of units; ``None`` where entries are not in runs."""
        outer, _, inner = self.positions.shape
        if np.any(np.diff(self.positions.reshape(outer, -1), axis=1) != 1):
            return None
        return [Axis(self.axis, int(start), 1, inner, power) for start in self.positions[:, 0, 0]]


def joined(blocks: Sequence[Axis], n: int, shape: tuple[int, ...]) -> tuple[Axis, ...]:
    """Axes with those made one that follow on each other, and a whole axis named as such."""
    out: list[Axis] = []
    for a in sorted(blocks, key=lambda a: (a.axis, a.offset)):
        last = out[-1] if out else None
        follows = last is not None and a == replace(last, start=last.offset + last.length(n), outer=a.outer)
        if last is not None and follows:
            out[-1] = replace(last, outer=last.outer + a.outer)
        else:
            out.append(a)
    return tuple(replace(a, start=None) if a.length(n) == shape[a.axis] else a for a in out)


@dataclass(frozen=True)
class Class:
    """Positions that are one variable in the end, and the factors that they may have.

    :param parities: a basis of the sign patterns: for each, the places where a sign acts.
    :param degrees: the exponents of one positive factor in the likelihood, place by place, if any.
    """

    var: Var
    places: tuple[Place, ...]
    parities: tuple[tuple[int, ...], ...]
    degrees: tuple[int, ...] | None

    @property
    def alive(self) -> bool:
        return self.var.size > 1 and not self.var.reasons

    @property
    def n(self) -> int:
        return self.var.size


Flip = dict[str, list[np.ndarray]]  # site -> for each axis, where a sign acts (axes multiply)


def read_classes(
    walk: Walk, sites: Mapping[str, Value], observed: Iterable[str]
) -> tuple[list[Class], list[dict[Key, Fraction]]]:
    """Classes in the order of the sites, and a basis of the signs of whole arrays.

    :param walk: a walk that has seen the whole model.
    :param sites: the types that the latent sites were given at its start.
    :param observed: sites whose densities make the likelihood; degrees are asked of those alone.
    """
    parity: dict[Var | None, list[Form]] = {}
    degree: dict[Var | None, list[Form]] = {}
    likelihood = frozenset(observed)
    for var, char, feeds in walk.rows:
        for occ in leaves(((Occ(var, char),),)) if var is not None else [Occ(Var(1), char)]:
            label = occ.var if occ.var.size > 1 else None
            parity.setdefault(label, []).append(occ.char.parity)
            if feeds & likelihood:
                degree.setdefault(label, []).append(occ.char.degree)

    places: dict[Var, list[Place]] = {}
    whole: list[Key] = []
    for name, value in sites.items():
        whole += [key for key, _ in value.char.parity]
        for var, place in _places(name, value):
            places.setdefault(var, []).append(place)
            whole += [place.key] if var.size == 1 else []

    classes = []
    for var, where in places.items():
        if var.size == 1:
            continue
        keys = list(dict.fromkeys(p.key for p in where))
        signs = solutions(parity.get(var, ()), keys, 2)
        scales = solutions(degree.get(var, ()), keys, None)
        classes.append(
            Class(
                var,
                tuple(where),
                tuple(tuple(int(v.get(p.key, 0)) for p in where) for v in signs),
                _integers([scales[0].get(p.key, Fraction(0)) for p in where]) if scales else None,
            )
        )
    return classes, solutions(parity.get(None, ()), whole, 2)


def _integers(exponents: Sequence[Fraction]) -> tuple[int, ...]:
    """The smallest integers in the same ratio, the first of them positive."""
    scale = lcm(*(e.denominator for e in exponents))
    numbers = [int(e * scale) for e in exponents]
    divisor = reduce(gcd, numbers) or 1
    sign = 1 if next((x for x in numbers if x), 1) > 0 else -1
    return tuple(sign * x // divisor for x in numbers)


def _places(site: str, value: Value) -> Iterator[tuple[Var, Place]]:
    """Every unbound variable on every axis of a site, and where."""
    for axis, n in enumerate(value.shape):
        for occ, positions in _placed(value.axes[axis] or (), np.arange(n).reshape(1, n, 1)):
            yield occ.var, Place(site, axis, occ.char.parity[0][0], positions)


def _placed(layout: Layout, positions: np.ndarray) -> Iterator[tuple[Occ, np.ndarray]]:
    """Each unbound variable on an axis with its entries; ``positions`` has shape ``(outer, length, inner)``."""
    outer, _, inner = positions.shape
    start = 0
    for term in normal(layout):
        stop = start + term_size(term)
        for i, occ in enumerate(term):
            before, after = outer * term_size(term[:i]), term_size(term[i + 1 :]) * inner
            block = positions[:, start:stop].reshape(before, occ.var.size, after)
            if occ.var.parts is None:
                yield occ, block
            else:
                yield from _placed(tuple(expand(occ)), block)
        start = stop


# Signs of whole arrays -----------------------------------------------------------------------------


def class_flips(c: Class, shapes: Mapping[str, tuple[int, ...]]) -> list[tuple[int | None, Flip]]:
    """The signs of a class that ``Units`` of one unit express, with the position each belongs to.

    Where the units are interchangeable: each sign pattern for all units at once. Where they are
    told apart: each pattern for each unit.
    """
    flips: list[tuple[int | None, Flip]] = []
    single = not c.alive and c.n <= MOST_SINGLE_SIGNS
    for pattern in c.parities:
        for unit in range(c.n) if single else (None,):
            flip: Flip = {}
            for place, on in zip(c.places, pattern, strict=True):
                if on:
                    axes = flip.setdefault(place.site, _no_flip(shapes[place.site]))
                    chosen = place.positions if unit is None else place.positions[:, unit]
                    axes[place.axis][chosen.ravel()] ^= True
            flips.append((unit, flip))
    return flips


def array_flips(basis: Sequence[dict[Key, Fraction]], sites: Mapping[str, Value], known: Sequence[Flip]) -> list[Flip]:
    """Signs of whole arrays that are no product of the flips already known."""
    shapes = {name: v.shape for name, v in sites.items()}
    span: list[int] = []
    for earlier in known:
        _independent(_bits(earlier, shapes), span)
    found = []
    for vector in basis:
        flip: Flip = {}
        for name, value in sites.items():
            axes = _no_flip(value.shape)
            for var, place in _places(name, value):
                if var.size == 1 and vector.get(place.key):
                    axes[place.axis][place.positions.ravel()] ^= True
            if any(vector.get(key) for key, _ in value.char.parity):
                axes[0] = ~axes[0]
            if any(a.any() for a in axes):
                flip[name] = axes
        if _independent(_bits(flip, shapes), span):
            found.append(flip)
    return found


def _no_flip(shape: Sequence[int]) -> list[np.ndarray]:
    return [np.zeros(n, bool) for n in (shape or (1,))]


def _bits(flip: Flip, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """A flip as one number: equal exactly where it acts equally on every entry."""
    bits: list[Any] = []
    for name, shape in shapes.items():
        axes = flip.get(name) or _no_flip(shape)
        bits.append([bool(sum(int(a[0]) for a in axes) % 2)])
        bits += [a ^ a[0] for a in axes]
    return int("".join("1" if b else "0" for b in np.concatenate(bits)), 2)


def _independent(bits: int, span: list[int]) -> bool:
    """Whether a vector over GF(2) is no sum of those in the span; it is added where it is none."""
    for b in span:
        bits = min(bits, bits ^ b)
    if bits:
        span.append(bits)
        span.sort(reverse=True)
    return bool(bits)


def flip_axes(flip: Flip) -> dict[str, tuple[Axis, ...]]:
    """Where a flip acts, as axes of ``Units`` with one unit."""
    placed = {}
    for name, axes in flip.items():
        found: list[Axis] = []
        for k, on in enumerate(axes):
            if on.all():
                found.append(Axis(k, outer=len(on), power=1))
                continue
            edges = np.flatnonzero(np.diff(np.r_[False, on, False]))
            found += [Axis(k, int(a), outer=int(b - a), power=1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
        placed[name] = tuple(found)
    return placed
