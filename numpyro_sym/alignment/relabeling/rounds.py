"""Relabeling by turns: all draws to a pivot, the pivot from the relabeled draws, and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ...symmetry.bars import advance
from .result import Relabeling

MAX_ITERATIONS = 1000
#: Objectives are equal up to this share of them; lie apart, and far apart, from these on.
_EQUAL, _APART, _FAR = 1e-9, 1e-4, 0.2
#: So many starts that end alike are enough.
_AGREEING = 3
#: Which start is of draws as they came.
_AS_THEY_CAME = 1


class Turns(NamedTuple):
    """What a method does in turn, with some draws.

    :param match: a pivot -> the permutations ``(draw, n)`` that it asks for, and the objective.
    :param renew: these permutations and the pivot -> the pivot of the relabeled draws.
    :param least_fall: the share of the objective by which a descent is to lower it, to go on.
    """

    match: Callable[[np.ndarray], tuple[np.ndarray, float]]
    renew: Callable[[np.ndarray, np.ndarray], np.ndarray]
    least_fall: float = _EQUAL


def descend(turns: Turns, pivot: np.ndarray) -> Relabeling:
    """By turns until the objective falls no more, where neither turn can raise it."""
    best = np.inf
    for iteration in range(MAX_ITERATIONS):
        permutation, objective = turns.match(pivot)
        advance("rounds")
        settled = not objective < best - turns.least_fall * abs(objective)
        if settled or iteration + 1 == MAX_ITERATIONS:
            break
        best, pivot = objective, turns.renew(permutation, pivot)
    return Relabeling(permutation, pivot, objective, iteration, settled)


def go_round(turns: Turns, pivot: np.ndarray) -> Relabeling:
    """By turns until a pivot comes back, where the turns have no objective in common.

    A pivot that is its own next has settled. Of pivots that go round in a circle it is the one of
    least objective, and has not.
    """
    pivots, objectives = [pivot], []
    seen = {pivot.tobytes(): 0}
    for iteration in range(MAX_ITERATIONS):
        permutation, objective = turns.match(pivot)
        advance("rounds")
        objectives.append(objective)
        pivot = turns.renew(permutation, pivot)
        first = seen.setdefault(pivot.tobytes(), iteration + 1)
        if first == iteration:
            return Relabeling(permutation, pivot, objective, iteration, True)
        if first < iteration:
            break  # the circle is of the pivots since the first
        pivots.append(pivot)
    else:
        first = len(objectives) // 2  # the start is not the method's own, nor are the next few
    best = first + int(np.argmin(objectives[first:]))
    permutation, objective = turns.match(pivots[best])
    return Relabeling(permutation, pivots[best], objective, len(objectives), False)


def from_the_best(
    run: Callable[[Turns, np.ndarray], Relabeling],
    few: Turns,
    starts: Sequence[np.ndarray],
    whole: Turns | None,
    as_they_came: Callable[[], np.ndarray],
) -> Relabeling:
    """The lowest end that is reached from several starts; of equals, the first.

    Starts are compared with a few draws, and the best goes on with all. Where they end apart there
    are many ends: then all draws begin as they came, too, as in R's label.switching, unless the few
    came to far worse so.

    :param run: :func:`descend` or :func:`go_round`.
    :param starts: pivots, the second that of the few as they came.
    :param whole: with all draws; ``None`` where the few are all.
    :param as_they_came: the pivot of all draws in the labels that they have.
    """
    if whole is None:
        return _lowest(_ends(run, few, starts))
    ends = _ends(run, few._replace(least_fall=_APART), starts)
    best = _lowest(ends)
    found = [run(whole, best.pivot)]
    worse = ends[_AS_THEY_CAME].objective - best.objective
    if _lie_apart(ends) and worse < _FAR * abs(best.objective):
        found.append(run(whole, as_they_came()))
    return _lowest(found)


def _ends(
    run: Callable[[Turns, np.ndarray], Relabeling], turns: Turns, starts: Sequence[np.ndarray]
) -> list[Relabeling]:
    """From each start; where the first few all end alike the others are not asked."""
    first = [run(turns, start) for start in starts[:_AGREEING]]
    if not _lie_apart(first):
        return first
    return first + [run(turns, start) for start in starts[_AGREEING:]]


def _lie_apart(ends: Sequence[Relabeling]) -> bool:
    objectives = [end.objective for end in ends]
    return max(objectives) - min(objectives) > _APART * abs(min(objectives))


def _lowest(found: Sequence[Relabeling]) -> Relabeling:
    best = found[0]
    for other in found[1:]:
        if other.objective < best.objective - _EQUAL * abs(best.objective):
            best = other
    return best
