"""Coordinate descent over the units of many draws in lock step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...symmetry import Element, Units
from .assignment import assign_from, chosen
from .factors import best_factors, factors_at
from .moves import Elements
from .scores import Parts, Scores, take
from .swaps import changed, smallest_loss, true_changes


class Descent(NamedTuple):
    """Where a descent ended.

    :param elements: units name -> :class:`Element` of shape ``(batch, *units.shape)``.
    :param loss: by how much the cheapest single change would lower the score, shape ``(batch,)``.
    :param settled: whether every unit is the best of all for its slot, or the nearest: a match
        without conflict; or the one assignment is the optimum.
    """

    elements: dict[str, Element]
    loss: np.ndarray
    settled: np.ndarray


# After so many sweeps (the last: or more) a descent behind by more than this share of what it
# has gained comes no nearer: of 3,000 unrelated pairs none did that was ahead in the end.
_STILL = (0.22, 0.13, 0.1, 0.08)


def descend(
    scores: Scores, start: Elements, behind: np.ndarray | None = None, max_sweeps: int = 1000
) -> Descent:
    """Solve for one ``Units`` after the other until no assignment improves.

    A draw's ``Units`` is visited again only when units that touch it have moved.

    :param start: units name -> elements of shape ``(batch, *units.shape)``. Units that are not
        there are first placed by the arrays that only they and those before them move. From an
        empty start a network is thus matched layer by layer: right for exact copies, where a
        descent from the identity begins with noise.
    :param behind: by how much the score of each draw at the start is below the one to beat; a draw
        that cannot come so far any more is given up. ``None``: to the end.
    """
    state = _State(scores, start)
    for sweep in range(max_sweeps):
        if not any(w.any() for w in state.waiting.values()):
            break
        for units in scores.objective.sym:
            rows = np.flatnonzero(state.waiting[units.name])
            if rows.size:
                state.visit(units, rows)
        if behind is not None:
            still = _STILL[min(sweep, len(_STILL) - 1)]
            state.give_up(behind - state.gained > still * state.gained)
    return state.result()


class _State:
    """Present elements, who waits for a visit, and the scores of the last one."""

    def __init__(self, scores: Scores, start: Elements) -> None:
        self.scores = scores
        self.objective = scores.objective
        batch, sym = scores.batch, self.objective.sym
        self.elements = {name: Element(*map(np.array, e)) for name, e in start.items()}
        self.waiting = {u.name: np.ones(batch, bool) for u in sym}
        # Scales creep towards their optimum; permutations and signs reach it.
        creeping = any(u.has_scales for u in sym)
        self.tolerance = max(8 * np.finfo(scores.dtype).eps, 1e-10 if creeping else 0)
        # Of each Units' last visit: scores, the best of each slot, what a sign turns round.
        self.best: dict[str, np.ndarray] = {}
        self.top: dict[str, np.ndarray] = {}
        self.odd: dict[str, np.ndarray] = {}
        # Scores of a visit to all draws, and the others they account for, until one of these moves.
        self.known: dict[str, tuple[Parts, set[str]]] = {}
        # By how much the score has grown since all units have elements.
        self.gained = np.zeros(batch, scores.dtype)
        quadratic = [u.name for u in sym if self.objective.is_quadratic(u)]
        self.true_loss = {name: np.empty(batch, scores.dtype) for name in quadratic}

    def visit(self, units: Units, rows: np.ndarray) -> None:
        """Improve one ``Units`` of some draws, and let whom that touches wait again."""
        name, batch = units.name, self.scores.batch
        if 4 * len(rows) > 3 * batch:  # to visit the others too takes less than to copy these out
            rows = np.arange(batch)
        every = rows if len(rows) < batch else slice(None)
        known = self.known.pop(name, None) if isinstance(every, slice) else None
        parts = self.scores.parts(units, self.elements, every, known)
        if isinstance(every, slice) and name not in self.elements:
            self.known[name] = parts, self.objective.touching[name] & set(self.elements)
        best = best_factors(units.kind, parts)[0]
        first = best.argmax(-1)
        self.best[name] = _kept(self.best.get(name), every, best)
        top = chosen(best, first)
        self.top[name] = _kept(self.top.get(name), every, top)
        if units.has_signs and 1 in parts:
            self.odd[name] = _kept(self.odd.get(name), every, parts[1])
        permutation = assign_from(best, first, top)
        new = Element(permutation, factors_at(units, parts, permutation))
        if name not in self.elements:
            self.waiting[name][:] = not self.objective.touching[name] <= set(self.elements)
            self.elements[name] = new
            return
        old = take(self.elements[name], every)
        before, after = _evaluated(parts, old), _evaluated(parts, new)
        size = np.abs(before) + np.abs(after)
        better = after > before + self.tolerance * size
        if self.objective.is_quadratic(units):
            new, better = self._truly_better(units, parts, rows, old, new, better, size)
        # Each set of a batch moves if that is better for it: sets of the same units never meet.
        row, *sets = np.nonzero(better)
        for whole, values in zip(self.elements[name], new, strict=True):
            whole[(rows[row], *sets)] = values[(row, *sets)]
        self.gained[rows] += np.where(better, after - before, 0).reshape(len(rows), -1).sum(-1)
        moved = np.unique(rows[row]) if sets else rows[row]
        self.waiting[name][rows] = False
        for other in self.objective.touching[name]:
            self.waiting[other][moved] = True
            if moved.size and name in self.known.get(other, ({}, set()))[1]:
                del self.known[other]

    def give_up(self, hopeless: np.ndarray) -> None:
        """Visit some draws no more."""
        for waiting in self.waiting.values():
            waiting[hopeless] = False

    def _truly_better(
        self, units: Units, parts: Parts, rows, old: Element, new: Element, better, size
    ):
        """The assignment where it is better in truth, else the best single change,
        where that is.
        """
        own = Element(*map(np.array, self.elements[units.name]))
        tried = {**self.elements, units.name: own}
        for whole, values in zip(tried[units.name], new, strict=True):
            whole[rows] = values
        gain = self.scores.value(units, tried, rows) - self.scores.value(units, self.elements, rows)
        tolerance = 8 * self.tolerance * size
        better = better & (gain > tolerance)
        # All sets of all draws in one row.
        in_row = Element(*(a.reshape(-1, units.n) for a in old))
        each = {q: part.reshape(-1, units.n, units.n) for q, part in parts.items()}
        loss, i, k = true_changes(self.scores, units, each, in_row, self.elements, rows).best()
        loss = loss.reshape(better.shape)  # (draw, *batch)
        self.true_loss[units.name][rows] = loss.reshape(len(rows), -1).min(-1)
        step = Element(*(a.reshape(old.permutation.shape) for a in changed(in_row, i, k)))
        pick = better[..., None]  # (draw, *batch, slot)
        new = Element(*(np.where(pick, a, b) for a, b in zip(new, step, strict=True)))
        return new, better | (-loss > tolerance)

    def result(self) -> Descent:
        settled = np.ones(self.scores.batch, bool)
        losses = []
        for units in self.objective.sym:
            name, permutation = units.name, self.elements[units.name].permutation
            # Where it is linear the assignment is the optimum, whatever else it is.
            if not self.objective.is_linear:
                settled &= self._is_settled(units, permutation)
            loss = self.true_loss.get(name)
            if loss is None:
                loss = smallest_loss(units, self.best[name], self.odd.get(name), permutation)
            losses.append(loss)
        return Descent(self.elements, np.maximum(np.min(losses, axis=0), 0), settled)

    def _is_settled(self, units: Units, permutation: np.ndarray) -> np.ndarray:
        """Where each slot's unit has the largest inner product with it of all, or is the nearest of
        all.
        """
        best = self.best[units.name]
        settled = _all(chosen(best, permutation) >= self.top[units.name])
        rows = np.flatnonzero(~settled)
        if rows.size:
            # (draw, *batch, slot, unit)
            nearness = best[rows] - self.scores.squares(units, rows)[..., None, :]
            settled[rows] = _all(nearness.argmax(-1) == permutation[rows])
        return settled


def _kept(before: np.ndarray | None, rows: np.ndarray | slice, new: np.ndarray) -> np.ndarray:
    """What was kept of all draws with some of them renewed; the first visit is to all."""
    if before is None or isinstance(rows, slice):
        return new
    before[rows] = new
    return before


def _all(holds: np.ndarray) -> np.ndarray:
    """Where something holds of every slot of a draw."""
    return np.all(holds.reshape(len(holds), -1), axis=-1)


def _evaluated(parts: Parts, element: Element) -> np.ndarray:
    """The score of one element of each set: ``sum_i sum_q factor[i]**q parts[q][i,
    permutation[i]]``.
    """
    terms = []
    for q, part in parts.items():
        term = chosen(part, element.permutation)
        terms.append(term * element.factor**q if q else term)
    return np.sum(terms, axis=(0, -1))
