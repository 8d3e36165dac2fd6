"""From the types of a model's sites to ``Units``: which positions, which factors, where."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd, lcm

import numpy as np

from ..symmetry import Axis, Units
from ..symmetry.units import Kind, why_overlapping
from .exponents import Exponents, Unknown, solutions
from .inference import WHOLE, Batch, Block, Lies, Value, Walk, one_slice
from .layout import Layout, Occurrence, Var, leaves, normal, run_size, size_of


@dataclass(frozen=True)
class Place:
    """One occurrence of a class on one axis of a site.

    :param key: the unknown sign with which the class acts there.
    :param positions: entries along the axis, shape ``(outer, n, inner)``.
    """

    site: str
    axis: int
    key: Unknown
    positions: np.ndarray


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
    def where(self) -> tuple[tuple[str, int], ...]:
        return tuple(dict.fromkeys((p.site, p.axis) for p in self.places))

    def __str__(self) -> str:
        return " ".join(f"{site}[{axis}]" for site, axis in self.where)

    def kind(self, kinds: Sequence[str]) -> Kind | None:
        """The first of these kinds that the class has: signs, else scales, else
        permutations alone.
        """
        has = {
            "signed": bool(self.parities),
            "scaled": self.degrees is not None,
            "permutation": True,
        }
        return next((k for k in ("signed", "scaled", "permutation") if k in kinds and has[k]), None)

    def units(
        self,
        kind: Kind,
        shapes: Mapping[str, tuple[int, ...]],
        batch: Mapping[str, tuple[int | Axis, ...]] | None = None,
    ) -> Units | str:
        """The class as ``Units``, still without a name, or why they cannot say it.

        :param batch: site name -> where the batch runs of which the class is one set.
        """
        batch = batch or {}
        lies = {site: where_slices_lie(runs, shapes[site]) for site, runs in batch.items()}
        powers = {"signed": self.parities[:1], "scaled": (self.degrees,), "permutation": ()}[kind]
        merged: dict[tuple, list[np.ndarray]] = {}
        for place, power in zip(
            self.places, (*powers, (0,) * len(self.places))[0] or (), strict=True
        ):
            merged.setdefault((place.site, place.axis, power, place.positions.shape[2]), []).append(
                place.positions
            )
        axes: dict[str, tuple[Axis, ...]] = {}
        for (site, axis, power, _), blocks in merged.items():
            length = one_slice(shapes[site], lies.get(site, ()))[axis]
            runs = Axis.of_entries(axis, np.concatenate(blocks), length, power)
            if runs is None:
                return "interchangeable, but not in blocks that an Axis can name"
            axes[site] = (
                *axes.get(site, ()),
                *(replace(run, batch=batch.get(site, ())) for run in runs),
            )
        if any(why_overlapping("found", self.var.size, site, axs) for site, axs in axes.items()):
            return "interchangeable, but twice along one axis, which Units cannot say"
        some = next(iter(axes))
        sets = []
        for k in lies.get(some, ()):
            assert k is not None
            sets.append(k.size if isinstance(k, Block) else shapes[some][k])
        return Units("found", self.var.size, axes=axes, kind=kind, batch=tuple(sets))


def where_slices_lie(batch: Sequence[int | Axis], shape: Sequence[int]) -> Batch:
    """Where a batch of units runs, as the walk counts it: blocks within an axis from its begin."""
    lies: list[Lies] = []
    before = dict.fromkeys(range(len(shape)), 1)  # sets that earlier runs have made of an axis
    for run in batch:
        if not isinstance(run, Axis):
            lies.append(run)
            continue
        k = run.axis
        size = shape[k] // (before[k] * run.outer * run.inner)
        lies.append(Block(k, before[k] * run.outer, size))
        before[k] *= size
    return tuple(lies)


@dataclass(frozen=True)
class Reading:
    """What a walk through the model's program found.

    :param sites: the types of the latent sites.
    :param classes: classes in the order of the sites.
    :param signs: a basis of the signs of whole arrays and of single positions, as values of their
        unknowns.
    """

    walk: Walk
    sites: dict[str, Value]
    classes: tuple[Class, ...]
    signs: tuple[Exponents, ...]


def read_classes(
    walk: Walk, sites: dict[str, Value], likelihood: Iterable[str], scalable: Collection[str]
) -> Reading:
    """What a walk that has seen the whole model says of its sites.

    :param sites: the types that the latent sites were given at its start.
    :param likelihood: sites whose densities make the likelihood; degrees are asked of those alone.
    :param scalable: latent sites that the likelihood depends on; scales of others say nothing.
    """
    rows: dict[Var, list[tuple[Exponents, bool]]] = {}
    likelihood = frozenset(likelihood)
    for var, exponents, feeds in walk.rows:
        for occ in leaves(((Occurrence(var, exponents),),)):
            of_var = rows.setdefault(occ.var if occ.var.size > 1 else WHOLE, [])
            of_var.append((occ.exponents, bool(feeds & likelihood)))
    found: dict[Var, list[Place]] = {}
    for name, value in sites.items():
        for var, place in places(name, value):
            found.setdefault(var, []).append(place)
    classes = []
    for var, where in found.items():
        if var.size > 1:
            mine, keys = rows.get(var, ()), list(dict.fromkeys(p.key for p in where))
            signs = solutions((exponents.of(sign=True) for exponents, _ in mine), keys)
            degrees = [k._replace(sign=False) for k in keys]
            likely_rows = [exponents.of(sign=False) for exponents, likely in mine if likely]
            # What the likelihood does not see has no scale in it.
            by_place = [p.key._replace(sign=False) for p in where]
            unseen = []
            for p, key in zip(where, by_place, strict=True):
                if p.site not in scalable:
                    unseen.append(Exponents({key: Fraction(1)}))
            scales = solutions([*likely_rows, *unseen], degrees)
            parities = tuple(tuple(int(v.get(p.key, 0)) for p in where) for v in signs)
            powers = None
            if scales:
                powers = _integers([scales[0].get(key, Fraction(0)) for key in by_place])
            classes.append(Class(var, tuple(where), parities, powers))
    whole = [k for v in sites.values() for k in v.exponents if k.sign]
    whole += [p.key for var, where in found.items() if var.size == 1 for p in where]
    return Reading(
        walk,
        sites,
        tuple(classes),
        tuple(solutions((c.of(sign=True) for c, _ in rows.get(WHOLE, ())), whole)),
    )


def _integers(exponents: Sequence[Fraction]) -> tuple[int, ...]:
    """The smallest integers in the same ratio, the first of them positive."""
    scale = lcm(*(e.denominator for e in exponents))
    numbers = [int(e * scale) for e in exponents]
    sign = 1 if next((x for x in numbers if x), 1) > 0 else -1
    return tuple(sign * x // (gcd(*numbers) or 1) for x in numbers)


def places(site: str, value: Value) -> Iterator[tuple[Var, Place]]:
    """Every unbound variable on every axis of a site, and where."""
    for axis, n in enumerate(value.shape):
        for occ, positions in _placed(value.axes[axis] or (), np.arange(n).reshape(1, n, 1)):
            yield occ.var, Place(site, axis, next(k for k in occ.exponents if k.sign), positions)


def _placed(layout: Layout, positions: np.ndarray) -> Iterator[tuple[Occurrence, np.ndarray]]:
    """Each unbound variable on an axis with its entries; ``positions`` has shape ``(outer, length,
    inner)``.
    """
    outer, _, inner = positions.shape
    start = 0
    for run in normal(layout):
        stop = start + run_size(run)
        for i, factor in enumerate(run):
            before, after = outer * run_size(run[:i]), run_size(run[i + 1 :]) * inner
            block = positions[:, start:stop].reshape(before, size_of(factor), after)
            if isinstance(factor, Occurrence):
                yield factor, block
            else:
                yield from _placed(factor, block)
        start = stop
