"""What alignment maximizes, term by term.

The weighted squared distance of a moved draw from a reference is, but for a constant,

    sum w (r - g x)**2  =  - (2 <w r, g x> - <w, (g x)**2>),

a sum of terms <c, g x**m> of moment m = 1 or 2, on which a factor with power p acts by
``d**(m p)``. With all other units held, each is linear in one unit's permutation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ...symmetry import Axis, Symmetry, SymmetryError, Units

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Term:
    """<coefficient, g x**moment> for one site; coefficients ``(k, *site)``, one for all draws or
    one for each.
    """

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
        return self.units.factor_power(self.axis, self.term.moment)


class Objective:
    """The terms of one reference and symmetry, sorted by ``Units``.

    Where a batch of units is taken for more draws, these have a reference for each set: the
    references then lie along a leading dimension and the draws have them in turn.

    :param sym: the symmetry; its units commute with one another wherever terms are used.
    :param reference: site name -> array ``(k, *site)``, ``k = 1`` where there is one reference for
        all draws.
    :param weights: site name -> weights of the squares, of the reference's shapes; ``None``: 1.
    """

    def __init__(self, sym: Symmetry, reference: Arrays, weights: Arrays | None = None) -> None:
        self.sym = sym
        for u in sym:
            _refuse_sets_that_meet(u, reference)
        self.reference = {site: reference[site] for site in sym.sites}
        self.weights = weights
        self.terms = tuple(_terms(sym, self.reference, weights))
        self.pairings = {u.name: tuple(_pairings(sym, u, self.terms)) for u in sym}
        self.touching = touching(sym, self.shapes)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Site name -> shape."""
        return {site: r.shape[1:] for site, r in self.reference.items()}

    @property
    def num_references(self) -> int:
        """How many references there are."""
        return len(next(iter(self.reference.values())))

    def of(self, sym: Symmetry) -> Objective:
        """The same distance for other units, on the sites that these lie on."""
        return Objective(sym, self.reference, self.weights)

    def of_rows(self, rows: np.ndarray) -> Objective:
        """One reference for each of some draws, which have them in turn; itself where there is one
        for all.
        """
        count = self.num_references
        if count == 1:
            return self
        return self.mapped(lambda x: x[rows % count])

    def in_single_precision(self) -> Objective:
        """The same objective in single precision."""
        return self.mapped(lambda x: x.astype(np.float32))

    def mapped(self, change: Callable[[np.ndarray], np.ndarray]) -> Objective:
        """The same objective with its arrays changed one by one."""
        reference = {site: change(x) for site, x in self.reference.items()}
        weights = None
        if self.weights is not None:
            weights = {site: change(self.weights[site]) for site in reference}
        return Objective(self.sym, reference, weights)

    def is_quadratic(self, units: Units) -> bool:
        """Whether these units lie on two axes of one array, so that their own moves change their
        scores.
        """
        return units.name in self.touching[units.name]

    @property
    def is_linear(self) -> bool:
        """Whether one assignment for each ``Units`` is the optimum."""
        return not any(self.touching.values())

    @property
    def has_array_of_its_own(self) -> bool:
        """Whether some units lie on an array that nothing else moves: what a forward start begins
        with.
        """
        every = chain.from_iterable(self.pairings.values())
        return any(not pairing.others for pairing in every)

    def squared_distance(self, draws: Arrays) -> np.ndarray:
        """Weighted sums of squared differences from the reference, shape ``(batch,)``."""
        some = next(iter(draws.values()))
        out = np.zeros(len(some), some.dtype)
        for site, r in self.reference.items():
            # Draws have the references in turn: (round, reference, entry).
            rounds = draws[site].reshape(len(some) // len(r), len(r), r[0].size)
            difference = weighted = rounds - r.reshape(len(r), r[0].size)
            if self.weights is not None:
                weighted = difference * self.weights[site].reshape(len(r), r[0].size)
            # The sum over entries, as a product of a row and a column.
            out += (weighted[..., None, :] @ difference[..., :, None]).reshape(len(some))
        return out


def to_reference(sym: Symmetry, reference: Arrays, weights: Arrays | None = None) -> Objective:
    """The objective of one reference for all draws, site name -> array of shape ``site``."""
    at = {site: reference[site][None] for site in sym.sites}
    if weights is None:
        return Objective(sym, at)
    return Objective(sym, at, {site: weights[site][None] for site in sym.sites})


def _terms(sym: Symmetry, reference: Arrays, weights: Arrays | None) -> Iterator[Term]:
    for site, r in reference.items():
        if weights is not None:
            yield Term(site, 2 * weights[site] * r, 1)
            yield Term(site, -weights[site], 2)
            continue
        yield Term(site, 2 * r, 1)
        # Without weights and scales a sum of squares is the same for every element.
        scaled = [u for u in sym if u.has_scales]
        if any(a.power for u in scaled for a in u.axes.get(site, ())):
            yield Term(site, -np.ones_like(r), 2)


def _pairings(sym: Symmetry, units: Units, terms: tuple[Term, ...]) -> Iterator[Pairing]:
    for term in terms:
        for axis in units.axes.get(term.site, ()):
            others = _others(sym, units, axis, term.site, term.coefficient.ndim - 1)
            coefficient = term.coefficient
            if others:
                where = others[0][1].axis % (coefficient.ndim - 1) + 1
                # The same array, in memory by rows of the others' axis.
                in_rows = np.ascontiguousarray(np.moveaxis(coefficient, where, 0))
                coefficient = np.moveaxis(in_rows, 0, where)
            yield Pairing(term, units, axis, others, coefficient)


def touching(sym: Symmetry, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, set[str]]:
    """Units name -> names of those that move entries which these move too; their own where they lie
    on two axes.
    """
    found: dict[str, set[str]] = {u.name: set() for u in sym}
    for u in sym:
        for site, axs in u.placements:
            for a in axs:
                others = _others(sym, u, a, site, len(shapes[site]))
                found[u.name] |= {v.name for v, _ in others}
    return found


def _others(
    sym: Symmetry, u: Units, a: Axis, site: str, ndim: int
) -> tuple[tuple[Units, Axis], ...]:
    """What else moves the entries of units on an axis."""
    found = []
    for v in sym:
        for b in v.axes.get(site, ()):
            if (v, b) != (u, a) and _meet(a, u.n, b, v.n, ndim):
                found.append((v, b))
    return tuple(found)


def _meet(a: Axis, n_a: int, b: Axis, n_b: int, ndim: int) -> bool:
    if a.axis % ndim != b.axis % ndim:
        return True
    return a.offset < b.offset + b.length(n_b) and b.offset < a.offset + a.length(n_a)


def _refuse_sets_that_meet(units: Units, reference: Arrays) -> None:
    """Raise where two sets of one batch move the same entries."""
    for site, axs in units.placements:
        ndim = reference[site].ndim - 1
        runs = {tuple(b % ndim for b in a.batch_axes) for a in axs}
        if len(runs) > 1:
            raise SymmetryError(
                f"Units {units.name!r} lie on several axes of site {site!r} whose batches run over "
                "different axes; expected the same ones. Leave these units out: sym.without(...)."
            )
