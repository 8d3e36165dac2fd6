"""Coordinate descent over the units of many draws in lock step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..symmetry import Element, Units
from .assignment import assign, chosen, swap_loss
from .factors import best_factors
from .objective import Elements, Scores


class Descent(NamedTuple):
    """Where a descent ended.

    :param elements: units name -> :class:`Element` of shape ``(batch, n)``.
    :param loss: by how much the cheapest single change (a swap, a sign) would lower the score.
    """

    elements: dict[str, Element]
    loss: np.ndarray


def descend(scores: Scores, start: Elements, max_sweeps: int = 1000) -> Descent:
    """Solve for one ``Units`` after the other until no assignment improves.

    A draw's ``Units`` is visited again only when units that touch it have moved.
    """
    objective = scores.objective
    elements = {name: Element(*(np.array(a) for a in e)) for name, e in start.items()}
    batch = len(next(iter(elements.values())).permutation)
    waiting = {u.name: np.ones(batch, bool) for u in objective.sym}
    dtype = scores.dtype
    loss = {u.name: np.full(batch, np.inf, dtype) for u in objective.sym}
    for _ in range(max_sweeps):
        if not any(w.any() for w in waiting.values()):
            break
        for units in objective.sym:
            rows = np.flatnonzero(waiting[units.name])
            if not rows.size:
                continue
            waiting[units.name][rows] = False
            moved, loss[units.name][rows] = _visit(scores, units, elements, rows)
            for name in objective.touching[units.name]:
                waiting[name][moved] = True
    return Descent(elements, np.min(list(loss.values()), axis=0))


def _visit(scores: Scores, units: Units, elements: dict[str, Element], rows: np.ndarray):
    """Improve one ``Units`` of some draws in place; which moved, and the loss of a change."""
    parts = scores.parts(units, elements, rows)
    score, _ = best_factors(units.kind, parts)
    old = _rows(elements[units.name], rows)
    permutation = assign(score)
    new = Element(permutation, _factor_at(units, parts, permutation))
    before = evaluate(parts, old)
    after = evaluate(parts, new)
    size = np.abs(score).max((-1, -2)) * units.n
    better = after > before + 8 * np.finfo(score.dtype).eps * size
    if scores.objective.is_quadratic(units):
        better = _truly_better(scores, units, elements, rows, new, better)
    kept = np.where(better[:, None], new.permutation, old.permutation)
    moved = rows[better]
    for whole, values in zip(elements[units.name], new, strict=True):
        whole[moved] = values[better]
    return moved, _smallest_loss(units, parts, score, kept)


def _factor_at(units: Units, parts, permutation: np.ndarray) -> np.ndarray:
    return best_factors(units.kind, {q: chosen(part, permutation) for q, part in parts.items()})[1]


def evaluate(parts, element: Element) -> np.ndarray:
    """The score of one element: ``sum_i sum_q factor[i]**q parts[q][i, permutation[i]]``."""
    return sum((chosen(part, element.permutation) * element.factor**q).sum(-1) for q, part in parts.items())


def _truly_better(scores: Scores, units: Units, elements, rows, new: Element, better: np.ndarray) -> np.ndarray:
    """Of the draws where the linearised score is better, those where the score itself is."""
    hopeful = rows[better]
    if not hopeful.size:
        return better
    tried = dict(elements)
    tried[units.name] = Element(*(a.copy() for a in elements[units.name]))
    for whole, values in zip(tried[units.name], new, strict=True):
        whole[hopeful] = values[better]
    before, after = (scores.value(units, e, hopeful) for e in (elements, tried))
    out = better.copy()
    out[better] = after > before + 1e-12 * np.abs(before)
    return out


def _smallest_loss(units: Units, parts, score: np.ndarray, permutation: np.ndarray) -> np.ndarray:
    loss = swap_loss(score, permutation)
    if units.kind == "signed" and 1 in parts:
        loss = np.minimum(loss, 2 * np.abs(chosen(parts[1], permutation)).min(-1))
    return loss


def _rows(element: Element, rows: np.ndarray) -> Element:
    return Element(element.permutation[rows], element.factor[rows])
