"""All ``Units`` matched jointly, softly at first."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...symmetry import Axis, Element, Units
from .assignment import assign, chosen
from .factors import best_factors
from .objective import Pairing
from .scores import Parts, Scores


class Cooling(NamedTuple):
    """Inverse temperatures, in units of one over the standard deviation of a draw's scores, and how
    often weights are balanced at each.
    """

    hot: float
    cold: float
    steps: int
    balancings: int


SLOW, BRIEF = Cooling(0.7, 5.0, 12, 3), Cooling(0.7, 5.0, 6, 3)


class Soft(NamedTuple):
    """Doubly stochastic matrices and the mean factor of each pair, both ``[draw, *batch, slot,
    unit]``.
    """

    weight: np.ndarray
    factor: np.ndarray

    def matrix(self, power: int) -> np.ndarray:
        """The mean of ``factor**power`` times the permutation matrix."""
        if power == 0:
            return self.weight
        return self.weight * self.factor**power


def annealed(scores: Scores, cooling: Cooling = SLOW) -> dict[str, Element]:
    """Doubly stochastic matrices that harden while a temperature falls.

    Mean-field annealing with Sinkhorn's balancing (softassign: Gold and Rangarajan 1996;
    Rangarajan, Yuille and Mjolsness 1999): each ``Units`` in turn takes the Gibbs distribution of
    its scores under the present soft matches of the others, balanced to row and column sums of 1.
    As it is only a start, single precision will do, and what a descent places first of all is left
    to it.
    """
    dtype = scores.dtype
    scores = scores.in_single_precision()
    sym = scores.objective.sym
    soft = {u.name: _uniform(u, scores.batch, scores.dtype) for u in sym}
    for beta in np.geomspace(cooling.hot, cooling.cold, cooling.steps):
        for units in sym:
            parts = scores.parts_with(units, lambda p: _softly_moved(p, soft), slice(None))
            soft[units.name] = _gibbs(units, parts, beta, cooling.balancings)
    first = sym.units[0]
    left = len(sym) > 1 and not (scores.objective.is_quadratic(first) or first.has_scales)
    return {u.name: _hardened(u, soft[u.name], dtype) for u in sym.units[left:]}


def _uniform(units: Units, batch: int, dtype: np.dtype) -> Soft:
    shape = (batch, *units.shape, units.n)
    factor = np.zeros if units.has_signs else np.ones
    return Soft(np.full(shape, 1 / units.n, dtype), factor(shape, dtype))


def _gibbs(units: Units, parts: Parts, beta: float, balancings: int) -> Soft:
    best, factor = best_factors(units.kind, parts)
    scale = best.std((-1, -2), keepdims=True)
    k = (beta / np.where(scale > 0, scale, 1)).astype(best.dtype)
    if units.has_signs and 1 in parts:
        # The sum over both signs, and the mean sign.
        odd = k * parts[1]
        log_weight = k * best + np.log1p(np.exp(-2 * np.abs(odd)))
        return Soft(_balanced(log_weight, balancings), np.tanh(odd))
    return Soft(_balanced(k * best, balancings), factor)


def _balanced(log_weight: np.ndarray, balancings: int) -> np.ndarray:
    """Sinkhorn's iteration, columns last, on weights no smaller than exp(-80) of their row's
    largest.
    """
    # In place: these are all the numbers there are.
    kernel = log_weight - log_weight.max(-1, keepdims=True)
    np.maximum(kernel, -80.0, out=kernel)
    np.exp(kernel, out=kernel)
    # Rows are (*batch, slot, 1), columns (*batch, 1, unit).
    column = np.ones((*kernel.shape[:-2], 1, kernel.shape[-1]), kernel.dtype)
    for _ in range(balancings):
        row = 1 / (kernel @ column.swapaxes(-1, -2))
        column = 1 / (row.swapaxes(-1, -2) @ kernel)
    kernel *= row
    kernel *= column
    return kernel


def _softly_moved(pairing: Pairing, soft: dict[str, Soft]) -> np.ndarray:
    """The coefficient where the draws are expected to have their units, shape ``(batch,
    *site)``.
    """
    moved = pairing.coefficient
    for units, axis in pairing.others:
        matrix = soft[units.name].matrix(units.factor_power(axis, pairing.term.moment))
        # The adjoint: from slots to units.
        moved = _contracted(moved, matrix.swapaxes(-1, -2), axis, units.n)
    return moved


def _contracted(x: np.ndarray, matrix: np.ndarray, axis: Axis, n: int) -> np.ndarray:
    """``new[.., m, ..] = sum_i matrix[m, i] x[.., i, ..]`` along a block of one axis."""
    mixed = matrix @ axis.blocks(x, n, lead=1)
    return axis.with_blocks(np.broadcast_to(x, (len(matrix), *x.shape[1:])), mixed, n, lead=1)


def _hardened(units: Units, soft: Soft, dtype: np.dtype) -> Element:
    """The nearest permutation; the mean factors' signs, or the factors themselves."""
    permutation = assign(soft.weight)
    factor = chosen(soft.factor, permutation)
    if units.has_signs:
        factor = np.where(factor < 0, -1, 1)
    return Element(permutation, factor.astype(dtype))
