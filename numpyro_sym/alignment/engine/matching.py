"""A flat batch of draws matched to their references, family by family of units."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from ...symmetry import Element
from ._families import SetsAsDraws, families, lone_outer, sets_as_draws
from .blas import one_thread
from .direct import match_directly
from .in_turn import match_in_turn
from .listing import cover, listed
from .objective import Arrays, Objective
from .problem import Match, Problem, Starts
from .wreath import match_wreath


def match(draws: Arrays, objective: Objective, starts: Starts, num_threads: int) -> Match:
    """Match every draw, from named starts until its match has settled, or from given elements.

    :param draws: site name -> array of shape ``(batch, *site)``.
    """
    own = {site: draws[site] for site in objective.sym.sites}
    with one_thread(max(u.n for u in objective.sym)):
        return _match(Problem(own, objective), starts, num_threads)


def _match(problem: Problem, starts: Starts, num_threads: int) -> Match:
    parts = families(problem.sym)
    if len(parts) == 1:
        return _match_family(problem, starts, num_threads)
    return _joined([_match_family(problem.of(part), starts, num_threads) for part in parts])


def _match_family(problem: Problem, starts: Starts, num_threads: int) -> Match:
    sym, shapes = problem.sym, problem.objective.shapes
    if isinstance(starts, Mapping):
        starts = {u.name: starts[u.name] for u in sym}
    solve = partial(_match, num_threads=num_threads)
    sets = sets_as_draws(sym, shapes)
    if sets is not None:
        return _match_sets(sets, problem, starts, num_threads)
    if lone_outer(sym, shapes) is not None:
        return match_wreath(problem, starts, solve)
    names = cover(sym, shapes) if starts is None else None
    listing = None if names is None else partial(listed, names=names, solve=solve)
    if any(sym.outer_of(u) for u in sym):
        return match_in_turn(problem, starts, solve, listing)
    return match_directly(problem, starts, num_threads, listing)


def _match_sets(sets: SetsAsDraws, problem: Problem, starts: Starts, num_threads: int) -> Match:
    of_sets = Problem(sets.sites(problem.draws), sets.objective(problem.objective))
    if isinstance(starts, Mapping):
        starts = sets.elements(starts)
    found = _match(of_sets, starts, num_threads)
    return Match(
        sets.elements_back(found.elements),
        sets.sites_back(found.sites),
        np.sqrt(sets.of_draw(np.square(found.distance)).sum(-1)),
        np.sqrt(sets.of_draw(np.square(found.distance_before)).sum(-1)),
        sets.of_draw(found.loss).min(-1),
        np.all(sets.of_draw(found.settled), axis=-1),
        np.all(sets.of_draw(found.exact), axis=-1),
        sets.of_draw(found.starts).max(-1),
    )


def _joined(found: list[Match]) -> Match:
    """Matches of families of the same draws as one."""
    elements: dict[str, Element] = {}
    sites: dict[str, np.ndarray] = {}
    for m in found:
        elements |= m.elements
        sites |= m.sites
    return Match(
        elements,
        sites,
        np.sqrt(np.sum([np.square(m.distance) for m in found], axis=0)),
        np.sqrt(np.sum([np.square(m.distance_before) for m in found], axis=0)),
        np.min([m.loss for m in found], axis=0),
        np.all([m.settled for m in found], axis=0),
        np.all([m.exact for m in found], axis=0),
        np.max([m.starts for m in found], axis=0),
    )
