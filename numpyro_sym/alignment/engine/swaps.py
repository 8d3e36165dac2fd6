"""Single changes of a match: the exchange of two units, or the change of one sign."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...symmetry import Axis, Element, Units
from ._families import in_rows, without_axes
from .assignment import chosen
from .moves import inverse_permutation
from .objective import Pairing
from .scores import Parts, Scores, of_rows


def smallest_loss(
    units: Units, score: np.ndarray, odd: np.ndarray | None, permutation: np.ndarray
) -> np.ndarray:
    """How much the cheapest exchange of two units, or change of a sign, takes from a linear score.

    :param score: floats ``[draw, *batch, slot, unit]``, each pair with its best factor.
    :param odd: the part of the score that a sign turns round.
    :param permutation: ints of shape ``(draws, *batch, n)``.
    :returns: floats of shape ``(draws,)``; infinite where there is nothing to change.

    >>> one = Units("u", 2, axes={"x": 0})
    >>> smallest_loss(one, np.array([[[3.0, 0.0], [1.0, 1.0]]]), None, np.array([[0, 1]]))
    array([3.])
    """
    n = permutation.shape[-1]
    batch = permutation.size // n
    loss = np.full(batch, np.inf, score.dtype)
    if n > 1:
        # [set, a, b]: what the slot of unit a would gain by having unit b; an exchange is one such
        # gain each way.
        here = inverse_permutation(permutation.reshape(batch, n)) + n * np.arange(batch)[:, None]
        gain = score.reshape(batch * n, n).take(here, axis=0)
        gain -= np.einsum("bii->bi", gain)[..., None].copy()
        # [set, pair]; nothing is exchanged with itself.
        both = (gain + gain.swapaxes(-1, -2)).reshape(batch, n * n)
        both[:, :: n + 1] = -np.inf
        loss = -both[np.arange(batch), both.argmax(-1)]
    if odd is not None:
        loss = np.minimum(loss, 2 * np.abs(chosen(odd, permutation)).min(-1).ravel())
    # Over the sets of a draw.
    return loss.reshape(len(permutation), -1).min(-1)


class Changes(NamedTuple):
    """Losses of single changes: of exchanges ``[set, slot, slot]``, of signs ``[set, slot]``."""

    swap: np.ndarray
    flip: np.ndarray

    def best(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The smallest loss, and the two slots it exchanges: twice the same one where it turns a
        sign.
        """
        n = self.flip.shape[-1]
        # (set, slot * slot), signs on the diagonal
        both = np.where(np.eye(n, dtype=bool), self.flip[..., None], self.swap).reshape(-1, n * n)
        place = both.argmin(-1)
        return both[np.arange(len(both)), place], place // n, place % n


def true_changes(
    scores: Scores, units: Units, parts: Parts, element: Element, elements, rows: np.ndarray
) -> Changes:
    """Losses for units that lie on two axes of one array, where both move at once.

    An exchange is ``1 - v v'`` with ``v = e_i - e_k``, a change of sign ``1 - 2 e_i e_i'``: on two
    axes of one array what the linear scores miss is one product of rank one.

    :param parts: scores ``[set, slot, unit]``; sets are draws, or each draw's batch one after the
        other.
    :param element: the units' element on these rows, shape ``(sets, n)``.
    """
    linear = np.sum([_placed(part, element, q) for q, part in parts.items()], axis=0)
    kept = np.diagonal(linear, axis1=-2, axis2=-1)
    # [set, slot, slot]: what both have now, less what they would have.
    swap = kept[:, :, None] + kept[:, None, :] - linear - linear.swapaxes(-1, -2)
    flip = np.full(kept.shape, np.inf, kept.dtype)
    if units.has_signs and 1 in parts:
        flip = 2 * chosen(parts[1], element.permutation) * element.factor
    for first, second in _doubled(scores.objective.pairings[units.name]):
        term, axes = first.term, (first.axis, second.axis)
        coefficient = _two_axes(of_rows(term.coefficient, rows), *axes, units.n)
        data = _two_axes(scores.moved_data(term, elements, rows), *axes, units.n)
        if 1 < len(coefficient) < len(data):  # one reference for all draws, but several sets
            coefficient = np.tile(coefficient, (len(data) // len(coefficient), 1, 1, 1))
        swap = swap - (_ends(coefficient) * _ends(data)).sum(-1)
        if first.exponent % 2 and second.exponent % 2:
            # Of the diagonals of both axes: (set, slot, feature).
            both = np.einsum("biif->bif", coefficient) * np.einsum("biif->bif", data)
            flip = flip - 4 * both.sum(-1)
    return Changes(swap, flip)


def changed(element: Element, i: np.ndarray, k: np.ndarray) -> Element:
    """The element after slots ``i`` and ``k`` exchange their units; a sign turned where they are
    one.
    """
    rows = np.arange(len(i))
    permutation, factor = element.permutation.copy(), element.factor.copy()
    for array, old in ((permutation, element.permutation), (factor, element.factor)):
        array[rows, i], array[rows, k] = old[rows, k], old[rows, i]
    same = i == k
    factor[rows[same], i[same]] *= -1
    return Element(permutation, factor)


def _placed(part: np.ndarray, element: Element, power: int) -> np.ndarray:
    """The score of each slot with the unit that another slot has now, at that unit's factor."""
    batch = np.arange(len(part))[:, None]
    # [set, slot, the slot that has the unit now]
    by_slot = part.swapaxes(-1, -2)[batch, element.permutation].swapaxes(-1, -2)
    return by_slot * (element.factor**power)[:, None, :]


def _doubled(pairings: tuple[Pairing, ...]):
    """Pairs of axes of one term on which the same units lie."""
    for index, first in enumerate(pairings):
        for second in pairings[index + 1 :]:
            if second.term is first.term and (second.units, second.axis) in first.others:
                yield first, second


def _two_axes(x: np.ndarray, a: Axis, b: Axis, n: int) -> np.ndarray:
    """An array ``(batch, *site)`` as ``(sets, n, n, features)``, by two of its axes."""
    if a.batch_axes:
        ndim = x.ndim - 1
        common = a.resolved(ndim).batch_axes
        a, b = without_axes(a, common, ndim), without_axes(b, common, ndim)
        x = in_rows(x, common)
    ndim = x.ndim - 1
    axes = {a.axis % ndim: a, b.axis % ndim: b}
    shape, fronts = [len(x)], {}
    for i, length in enumerate(x.shape[1:]):
        axis = axes.get(i)
        if axis is None:
            shape.append(length)
        else:
            fronts[axis] = len(shape) + 1
            shape += [axis.outer, n, axis.inner]
            # The entries of this axis on which the units lie, and all of the others.
            x = x[(slice(None),) * (i + 1) + (slice(axis.offset, axis.offset + axis.length(n)),)]
    front = np.moveaxis(x.reshape(shape), (fronts[a], fronts[b]), (1, 2))
    return front.reshape(len(x), n, n, int(np.prod(front.shape[3:])))


def _ends(x: np.ndarray) -> np.ndarray:
    """``x[i, i] + x[k, k] - x[i, k] - x[k, i]`` for every pair of slots."""
    kept = np.einsum("biif->bif", x)
    return kept[:, :, None] + kept[:, None, :] - x - x.swapaxes(1, 2)
