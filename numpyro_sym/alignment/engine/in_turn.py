"""Units that permute the sets of others and share arrays with more: matched part by part, again and
again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ...symmetry import Element, Symmetry
from ._families import wreaths
from .moves import Elements, act_on_draws
from .problem import Match, Problem, Solve, Starts
from .scores import take
from .starts import start_without_scores, unmoved

# Starts of a draw where none are named, and the most sweeps from each.
_STARTS = ("identity", *("random",) * 8)
_MAX_SWEEPS = 100


def match_in_turn(
    problem: Problem, starts: Starts, solve: Solve, listing: Callable[[Problem], dict] | None = None
) -> Match:
    """Sweep over parts of the symmetry, each matched with all else held, until no draw comes
    nearer.

    A part is some outer units with the units whose sets they permute, which is exact by itself,
    or all units that permute no sets.

    :param listing: the elements of the optimum, where they can be listed.
    """
    if isinstance(starts, Mapping):
        return _swept(problem, starts, solve)
    if listing is not None:
        found = _swept(problem, listing(problem), solve)
        return found._replace(exact=np.ones(problem.batch, bool))
    best = None
    reference = problem.objective.reference
    for seed, name in enumerate(starts or _STARTS):
        start = start_without_scores(name, problem.sym, problem.draws, reference, seed)
        found = _swept(problem, start, solve)
        if best is None:
            best = found
        else:
            best.replace_where(found.distance < best.distance, np.arange(problem.batch), found)
    assert best is not None
    best.starts[:] = len(starts or _STARTS)
    return best


def _swept(problem: Problem, start: Elements, solve: Solve) -> Match:
    sym, parts = problem.sym, _parts(problem)
    elements = {name: Element(*map(np.array, e)) for name, e in start.items()}
    sites = {**act_on_draws(sym, elements, problem.draws)}
    loss = np.full((len(parts), problem.batch), np.inf, next(iter(sites.values())).dtype)
    waiting = np.ones(problem.batch, bool)
    for _ in range(_MAX_SWEEPS):
        rows = np.flatnonzero(waiting)
        if not rows.size:
            break
        waiting[:] = False
        for number, part in enumerate(parts):
            present = Problem(sites, problem.objective).take(rows)
            found = solve(present.of(part), ("identity",))
            loss[number, rows] = found.loss
            tolerance = 1e-12 if found.distance.dtype == np.float64 else 1e-6
            # Rounding is no gain: a sweep would never end.
            better = found.distance < found.distance_before * (1 - tolerance)
            moved = rows[better]
            if not moved.size:
                continue
            still = unmoved(sym, moved.size, found.distance.dtype)
            step = {name: take(e, better) for name, e in found.elements.items()}
            before = {name: take(e, moved) for name, e in elements.items()}
            total = sym.compose({**still, **step}, before)
            for name, e in total.items():
                for whole, values in zip(elements[name], e, strict=True):
                    whole[moved] = values
            for site, x in found.sites.items():
                sites[site][moved] = x[better]
            waiting[moved] = True
    return Match(
        elements,
        sites,
        np.sqrt(problem.objective.squared_distance(sites)),
        np.sqrt(problem.objective.squared_distance(problem.draws)),
        np.maximum(loss.min(0), 0),
        np.ones(problem.batch, bool),
        np.zeros(problem.batch, bool),
        np.ones(problem.batch, int),
    )


def _parts(problem: Problem) -> list[Symmetry]:
    """Outer units with those whose sets they permute, then all units that permute no sets and stand
    in no part.
    """
    sym = problem.sym
    parts = wreaths(sym, problem.objective.shapes)
    outer, inside = set(), set()
    for part in parts:
        outer.add(part.units[0].name)
        inside |= {u.name for u in part}
    if inside != {u.name for u in sym}:
        parts.append(sym.without(*outer))
    return parts
