"""What alignment maximises, term by term.

The weighted squared distance of a moved draw from a reference is, but for a constant,

    sum w (r - g x)**2  =  - (2 <w r, g x> - <w, (g x)**2>),

a sum of terms <c, g x**m> of moment m = 1 or 2, on which a factor with power p acts by
``d**(m p)``. With all other units held, each is linear in one unit's permutation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..symmetry import Axis, Symmetry, Units

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Term:
    """<coefficient, g x**moment> for one site."""

    site: str
    coefficient: np.ndarray
    moment: int


@dataclass(frozen=True, eq=False)
class Pairing:
    """One term along one axis of one ``Units``, and whatever else moves the same entries.

    :param coefficient: the term's, laid out so that the first axis on which others lie is
        contiguous in whole rows: these are what alignment copies most.
    """

    term: Term
    units: Units
    axis: Axis
    others: tuple[tuple[Units, Axis], ...]
    coefficient: np.ndarray

    @property
    def exponent(self) -> int:
        """The power of a unit's factor in this term, as far as it matters."""
        return exponent(self.units, self.axis, self.term.moment)


def exponent(units: Units, axis: Axis, moment: int) -> int:
    """The power with which a factor acts on a moment: 0 for permutations, its parity for signs."""
    power = 0 if units.kind == "permutation" else moment * (axis.power or 0)
    return power % 2 if units.kind == "signed" else power


class Objective:
    """The terms of one reference and symmetry, sorted by ``Units``.

    :param reference: site name -> array, without sample dimensions.
    :param weights: site name -> weights of the squares, of the reference's shapes; ``None``: 1.
    """

    def __init__(self, sym: Symmetry, reference: Arrays, weights: Arrays | None = None) -> None:
        self.sym = sym
        self.reference = {site: reference[site] for site in sym.sites}
        self.weights = weights
        self.terms = tuple(_terms(sym, self.reference, weights))
        self.pairings = {u.name: tuple(_pairings(sym, u, self.terms)) for u in sym}
        self.touching = {u.name: {v.name for p in self.pairings[u.name] for v, _ in p.others} for u in sym}

    def in_single_precision(self) -> Objective:
        """The same objective in single precision."""
        reference, weights = (
            None if a is None else {n: x.astype(np.float32) for n, x in a.items()}
            for a in (self.reference, self.weights)
        )
        return Objective(self.sym, reference or {}, weights)

    def is_quadratic(self, units: Units) -> bool:
        """Whether these units lie on two axes of one array, so that their own moves change their scores."""
        return units.name in self.touching[units.name]

    @property
    def is_linear(self) -> bool:
        """Whether one assignment for each ``Units`` is the optimum."""
        return not any(self.touching.values())

    def squared_distance(self, draws: Arrays) -> np.ndarray:
        """Weighted sums of squared differences from the reference, shape ``(batch,)``."""
        some = next(iter(draws.values()))
        out = np.zeros(len(some), some.dtype)
        for site, r in self.reference.items():
            difference = (draws[site] - r).reshape(len(some), r.size)
            weighted = difference if self.weights is None else difference * self.weights[site].ravel()
            out += (weighted[:, None, :] @ difference[:, :, None])[:, 0, 0]
        return out


def _terms(sym: Symmetry, reference: Arrays, weights: Arrays | None) -> Iterator[Term]:
    for site, r in reference.items():
        yield Term(site, 2 * r if weights is None else 2 * weights[site] * r, 1)
        # Without weights and scales a sum of squares is the same for every element.
        if weights is not None or any(u.kind == "scaled" and a.power for u in sym for a in u.axes.get(site, ())):
            yield Term(site, -np.ones_like(r) if weights is None else -weights[site], 2)


def _pairings(sym: Symmetry, units: Units, terms: tuple[Term, ...]) -> Iterator[Pairing]:
    for term in terms:
        for axis in units.axes.get(term.site, ()):
            others = tuple(
                (v, b)
                for v in sym
                for b in v.axes.get(term.site, ())
                if (v, b) != (units, axis) and _meet(axis, units.n, b, v.n, term.coefficient.ndim)
            )
            coefficient = term.coefficient
            if others:
                where = others[0][1].axis % coefficient.ndim
                coefficient = np.moveaxis(np.ascontiguousarray(np.moveaxis(coefficient, where, 0)), 0, where)
            yield Pairing(term, units, axis, others, coefficient)


def _meet(a: Axis, n_a: int, b: Axis, n_b: int, ndim: int) -> bool:
    if a.axis % ndim != b.axis % ndim:
        return True
    return a.offset < b.offset + b.length(n_b) and b.offset < a.offset + a.length(n_a)
