"""What alignment maximises, as matrices of scores: slot of the reference against unit of the draw.

The weighted squared distance of a moved draw from a reference is, but for a constant,

    sum w (r - g x)**2  =  - (2 <w r, g x> - <w, (g x)**2>),

a sum of terms <c, g x**m> of moment m = 1 or 2, on which a factor with power p acts by
``d**(m p)``. With all other units held, each is linear in one unit's permutation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..symmetry import Axis, Element, Symmetry, Units, act_on_axis

Arrays = Mapping[str, np.ndarray]
Elements = Mapping[str, Element]
Parts = dict[int, np.ndarray]  # exponent of the factor -> scores


@dataclass(frozen=True, eq=False)
class Term:
    """<coefficient, g x**moment> for one site."""

    site: str
    coefficient: np.ndarray
    moment: int


@dataclass(frozen=True, eq=False)
class Pairing:
    """One term along one axis of one ``Units``, and whatever else moves the same entries."""

    term: Term
    units: Units
    axis: Axis
    others: tuple[tuple[Units, Axis], ...]

    @property
    def exponent(self) -> int:
        """The power of a unit's factor in this term, as far as it matters."""
        if self.units.kind == "permutation":
            return 0
        power = self.term.moment * (self.axis.power or 0)
        return power % 2 if self.units.kind == "signed" else power


class Objective:
    """The terms of one reference and symmetry, sorted by ``Units``.

    :param reference: site name -> array, without sample dimensions.
    :param weights: site name -> weights of the squares, of the reference's shapes; ``None``: 1.
    """

    def __init__(self, sym: Symmetry, reference: Arrays, weights: Arrays | None = None) -> None:
        self.sym = sym
        self.reference = {site: reference[site] for site in sym.sites}
        self.weights = weights
        self.terms = tuple(_terms(sym, reference, weights))
        self.pairings = {u.name: tuple(_pairings(sym, u, self.terms)) for u in sym}
        self.touching = {u.name: {v.name for p in self.pairings[u.name] for v, _ in p.others} for u in sym}

    def is_quadratic(self, units: Units) -> bool:
        """Whether these units lie on two axes of one array, so that their own moves change their scores."""
        return units.name in self.touching[units.name]

    def squared_distance(self, draws: Arrays) -> np.ndarray:
        """Weighted sums of squared differences from the reference, shape ``(batch,)``."""
        out = np.zeros(len(next(iter(draws.values()))), next(iter(draws.values())).dtype)
        for site, r in self.reference.items():
            difference = np.square(draws[site] - r).reshape(len(out), -1)
            out += difference.sum(-1) if self.weights is None else difference @ self.weights[site].ravel()
        return out

    @property
    def is_linear(self) -> bool:
        """Whether one assignment for each ``Units`` is the optimum."""
        return not any(self.touching.values())


def _terms(sym: Symmetry, reference: Arrays, weights: Arrays | None) -> Iterator[Term]:
    for site in sym.sites:
        r = reference[site]
        w = np.ones_like(r) if weights is None else weights[site]
        yield Term(site, 2 * w * r, 1)
        # Without weights and scales a sum of squares is the same for every element.
        if weights is not None or any(u.kind == "scaled" and a.power for u in sym for a in u.axes.get(site, ())):
            yield Term(site, -w, 2)


def _pairings(sym: Symmetry, units: Units, terms: tuple[Term, ...]) -> Iterator[Pairing]:
    for term in terms:
        for axis in units.axes.get(term.site, ()):
            others = (
                (v, b)
                for v in sym
                for b in v.axes.get(term.site, ())
                if (v, b) != (units, axis) and _meet(axis, units.n, b, v.n, term.coefficient.ndim)
            )
            yield Pairing(term, units, axis, tuple(others))


def _meet(a: Axis, n_a: int, b: Axis, n_b: int, ndim: int) -> bool:
    if a.axis % ndim != b.axis % ndim:
        return True
    return a.offset < b.offset + b.length(n_b) and b.offset < a.offset + a.length(n_a)


class Scores:
    """The objective on a batch of draws.

    :param objective: the terms.
    :param sites: site name -> array of shape ``(batch, *site)``.
    """

    def __init__(self, objective: Objective, sites: Arrays) -> None:
        self.objective = objective
        self.dtype = next(iter(sites.values())).dtype
        self._data = {t: sites[t.site] if t.moment == 1 else np.square(sites[t.site]) for t in objective.terms}
        self._fixed = {u.name: self._fixed_parts(u) for u in objective.sym}

    def parts(self, units: Units, elements: Elements, rows: np.ndarray) -> Parts:
        """Scores ``[row, slot, unit]`` of some of the draws, with all else held at ``elements``.

        :param elements: arrays of shape ``(batch, n)``.
        :param rows: indices of the draws.
        """
        parts = {q: fixed[rows] for q, fixed in self._fixed[units.name].items()}
        inverses = {
            name: _adjoint(e, rows) for name, e in elements.items() if name in self.objective.touching[units.name]
        }
        for p in self.objective.pairings[units.name]:
            if p.others:
                coefficient = _blocks(_moved(p, inverses), p.axis, units.n)
                data = _blocks(self._data[p.term][rows], p.axis, units.n)
                _add(parts, p.exponent, coefficient @ data.swapaxes(-1, -2))
        return parts

    def value(self, units: Units, elements: Elements, rows: np.ndarray) -> np.ndarray:
        """The sum of all terms of these units' sites, shape ``(rows,)``."""
        out = np.zeros(len(rows), self.dtype)
        for term in self.objective.terms:
            if term.site in units.sites:
                moved = self._data[term][rows]
                for v in self.objective.sym:
                    element = _power(Element(*(a[rows] for a in elements[v.name])), term.moment)
                    for axis in v.axes.get(term.site, ()):
                        moved = act_on_axis(v, element, moved, axis, 1)
                out += np.tensordot(moved, term.coefficient, term.coefficient.ndim)
        return out

    def _fixed_parts(self, units: Units) -> Parts:
        """Scores of whatever no other units move, all features of one exponent in one product."""
        features: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        for p in self.objective.pairings[units.name]:
            if not p.others:
                pair = (
                    _blocks(p.term.coefficient[None], p.axis, units.n),
                    _blocks(self._data[p.term], p.axis, units.n),
                )
                features.setdefault(p.exponent, []).append(pair)
        parts: Parts = {}
        for q, pairs in features.items():
            coefficient, data = (np.concatenate(side, -1) for side in zip(*pairs, strict=True))
            parts[q] = coefficient @ data.swapaxes(-1, -2)
        return parts


def _add(parts: Parts, exponent: int, scores: np.ndarray) -> None:
    parts[exponent] = parts[exponent] + scores if exponent in parts else scores


def _blocks(x: np.ndarray, axis: Axis, n: int) -> np.ndarray:
    """An array ``(batch, *site)`` as ``(batch, n, features)``: what belongs to each unit."""
    where = axis.axis % (x.ndim - 1) + 1
    block = x[(slice(None),) * where + (slice(axis.offset, axis.offset + axis.length(n)),)]
    split = block.reshape(*x.shape[:where], axis.outer, n, axis.inner, *x.shape[where + 1 :])
    return np.moveaxis(split, where + 1, 1).reshape(len(x), n, -1)


def _adjoint(element: Element, rows: np.ndarray) -> Element:
    """The element h with ``<r, g x> = <h r, x>``."""
    permutation, factor = (a[rows] for a in element)
    back = np.argsort(permutation, -1)
    return Element(back, np.take_along_axis(factor, back, -1))


def _power(element: Element, moment: int) -> Element:
    return element if moment == 1 else Element(element.permutation, element.factor**moment)


def _moved(pairing: Pairing, adjoints: Elements) -> np.ndarray:
    """The coefficient moved to where the draws have their units, shape ``(rows, *site)``."""
    moved = pairing.term.coefficient
    for i, (units, axis) in enumerate(pairing.others):
        element = _power(adjoints[units.name], pairing.term.moment)
        moved = act_on_axis(units, element, moved, axis, 1) if i else _first_move(units, element, moved, axis)
    return moved


def _first_move(units: Units, element: Element, x: np.ndarray, axis: Axis) -> np.ndarray:
    """``act_on_axis`` on one array for many elements: whole rows are copied."""
    plain = replace(axis, power=0)
    length = x.shape[axis.axis]
    where = axis.axis % x.ndim
    index = act_on_axis(
        units,
        element,
        np.broadcast_to(np.arange(length), (len(element.permutation), length)),
        replace(plain, axis=0),
        1,
    )
    moved = np.moveaxis(np.take(np.ascontiguousarray(np.moveaxis(x, where, 0)), index, axis=0), 1, where + 1)
    if units.kind == "permutation" or not axis.power:
        return moved
    ones = np.ones((len(element.permutation), length), x.dtype)
    factors = act_on_axis(units, element, ones, replace(axis, axis=0), 1)
    return moved * factors.reshape(len(ones), *(length if i == where else 1 for i in range(x.ndim)))
