"""Scores of every unit of a draw in every slot of the reference, all else held."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...symmetry import Axis, Element, Units
from .moves import Elements, inverse_permutation, move
from .objective import Arrays, Objective, Pairing

Parts = dict[int, np.ndarray]  # exponent of the factor -> scores [draw, *batch, slot, unit]


class Scores:
    """The objective on a batch of draws.

    :param objective: the terms.
    :param draws: site name -> array of shape ``(batch, *site)``.
    """

    def __init__(self, objective: Objective, draws: Arrays) -> None:
        some = next(iter(draws.values()))
        self.objective = objective
        self.draws = draws
        self.batch, self.dtype = len(some), some.dtype
        self._data = {}
        for term in objective.terms:
            x = draws[term.site]
            self._data[term] = x if term.moment == 1 else np.square(x)
        self._fixed = {u.name: self._fixed_parts(u) for u in objective.sym}

    def in_single_precision(self) -> Scores:
        """The same scores in single precision."""
        draws = {name: x.astype(np.float32) for name, x in self.draws.items()}
        return Scores(self.objective.in_single_precision(), draws)

    def parts(
        self,
        units: Units,
        elements: Elements,
        rows: np.ndarray | slice,
        known: tuple[Parts, set[str]] | None = None,
    ) -> Parts:
        """Scores of some of the draws, with all else held at ``elements``.

        Units of which ``elements`` say nothing yet are left out of account.

        :param known: scores of these draws and the others that they account for, where those did
            not move since.
        """
        touching = self.objective.touching[units.name] & set(elements)
        done, counted = known or (None, set())
        sym = self.objective.sym
        adjoints = {name: _adjoint(sym[name], elements[name], rows) for name in touching}

        def moved(p: Pairing) -> np.ndarray | None:
            others = {v.name for v, _ in p.others}
            if not others <= touching or others <= counted:
                return None
            moves = [(v, adjoints[v.name], axis) for v, axis in p.others]
            return move(of_rows(p.coefficient, rows), moves, p.term.moment)

        return self.parts_with(units, moved, rows, done)

    def parts_with(
        self,
        units: Units,
        moved: Callable[[Pairing], np.ndarray | None],
        rows: np.ndarray | slice,
        done: Parts | None = None,
    ) -> Parts:
        """Scores, given how each pairing's coefficient is brought to where the draws have their
        units.
        """
        parts = done
        if parts is None:
            parts = {q: fixed[rows] for q, fixed in self._fixed[units.name].items()}
        for p in self.objective.pairings[units.name]:
            coefficient = moved(p) if p.others else None
            if coefficient is None:
                continue
            # (draw, *batch, slot, entry) and (draw, *batch, unit, entry)
            wanted = p.axis.blocks(coefficient, units.n, lead=1)
            data = p.axis.blocks(self._data[p.term][rows], units.n, lead=1)
            score = wanted @ data.swapaxes(-1, -2)
            if p.exponent in parts:
                score += parts[p.exponent]
            parts[p.exponent] = score
        if not parts:
            size = len(np.arange(self.batch)[rows])
            parts[0] = np.zeros((size, *units.shape, units.n), self.dtype)
        return parts

    def own_parts(self, units: Units) -> Parts:
        """Scores by the arrays that no other units move."""
        return self._fixed[units.name]

    def own_squares(self, units: Units) -> np.ndarray:
        """Sums of squares of what belongs to each unit on these arrays, shape ``(draws, n)``; zero
        where the scores hold weighted ones.
        """
        out = np.zeros((self.batch, units.n), self.dtype)
        pairings = self.objective.pairings[units.name]
        if all(p.term.moment == 1 for p in pairings):
            for p in pairings:
                if not p.others:
                    out += np.square(p.axis.blocks(self._data[p.term], units.n, lead=1)).sum(-1)
        return out

    def squares(self, units: Units, rows: np.ndarray) -> np.ndarray:
        """Sums of squares of what belongs to each unit, shape ``(rows, *batch, n)``: only scales
        change them.
        """
        out = np.zeros((len(rows), *units.shape), self.dtype)
        for p in self.objective.pairings[units.name]:
            if p.term.moment == 1:
                out += np.square(p.axis.blocks(self._data[p.term][rows], units.n, lead=1)).sum(-1)
        return out

    def value(self, units: Units, elements: Elements, rows: np.ndarray) -> np.ndarray:
        """The sum of all terms of these units' sites, for each set of the batch: shape ``(rows,
        *batch)``.
        """
        out = np.zeros((len(rows), *units.batch), self.dtype)
        for term in self.objective.terms:
            for axis in units.axes.get(term.site, ())[:1]:
                product = self.moved_data(term, elements, rows) * of_rows(term.coefficient, rows)
                own = axis.resolved(product.ndim - 1).batch_axes
                # (draw, *batch, *rest)
                by_set = np.moveaxis(product, [1 + b for b in own], range(1, 1 + len(own)))
                out += by_set.reshape(*out.shape, -1).sum(-1)
        return out

    def moved_data(self, term, elements: Elements, rows: np.ndarray) -> np.ndarray:
        """The draws' powers in one term where the elements move them, shape ``(rows, *site)``."""
        sym = self.objective.sym
        moves: list[tuple[Units, Element, Axis]] = []
        for v in sym:
            moves += [(v, take(elements[v.name], rows), axis) for axis in v.axes.get(term.site, ())]
        return move(self._data[term][rows], moves, term.moment)

    def _fixed_parts(self, units: Units) -> Parts:
        """Scores of whatever no other units move: in one product for each exponent, where few
        features are to copy.
        """
        features: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        for p in self.objective.pairings[units.name]:
            if not p.others:
                coefficient = p.axis.blocks(p.term.coefficient, units.n, lead=1)
                data = p.axis.blocks(self._data[p.term], units.n, lead=1)
                features.setdefault(p.exponent, []).append((coefficient, data))
        parts: Parts = {}
        for q, pairs in features.items():
            if sum(data.shape[-1] for _, data in pairs) <= units.n:
                coefficients, features_of_draws = zip(*pairs, strict=True)
                pairs = [(np.concatenate(coefficients, -1), np.concatenate(features_of_draws, -1))]
            for coefficient, data in pairs:
                # (draw, *batch, slot, entry) and (draw, *batch, unit, entry)
                product = coefficient @ data.swapaxes(-1, -2)
                if q in parts:
                    parts[q] += product
                else:
                    parts[q] = product
        return parts


def take(element: Element, rows: np.ndarray | slice) -> Element:
    """The elements of some draws."""
    return Element(element.permutation[rows], element.factor[rows])


def of_rows(coefficient: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
    """The coefficients of some draws: one for all of them, or one for each."""
    return coefficient if len(coefficient) == 1 else coefficient[rows]


def _adjoint(units: Units, element: Element, rows: np.ndarray | slice) -> Element:
    """The element h with ``<r, g x> = <h r, x>``."""
    permutation, factor = take(element, rows)
    back = inverse_permutation(permutation)
    if units.has_factors:
        # Each unit has the factor of the slot to which it goes.
        factor = np.take_along_axis(factor, back, -1)
    return Element(back, factor)
