"""Units whose sets other units permute, matched exactly: the members of an ensemble."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from ...symmetry import Element, Symmetry, Units
from ._families import lone_outer
from .assignment import assign
from .moves import act_on_draws
from .problem import Match, Problem, Solve, Starts, in_chunks
from .starts import unmoved
from .swaps import smallest_loss


def match_wreath(problem: Problem, starts: Starts, solve: Solve) -> Match:
    """The best inner match of each member to each slot, and one assignment of members to slots.

    Each draw is put in all cyclic orders of its members, so that every member comes to every slot
    once; the inner units of all these are matched in one batch. It is the optimum where the inner
    matches are. A sign of the outer units is tried both ways.

    :param solve: matches the inner units.
    """
    outer = lone_outer(problem.sym, problem.objective.shapes)
    assert outer is not None
    trials = _trials(outer)
    copies = len(trials.permutation)
    work = partial(_matched, outer=outer, trials=trials, solve=solve)
    return in_chunks(problem, starts, copies, work)


def _trials(outer: Units) -> Element:
    """Cyclic orders, with every sign where there are signs; shape ``(copies, n)``."""
    n = outer.n
    orders = (np.arange(n) + np.arange(n)[:, None]) % n  # (shift, slot)
    has_sign = any(outer.turns(a) for _, axs in outer.placements for a in axs)
    signs = (1.0, -1.0) if has_sign else (1.0,)
    return Element(np.tile(orders, (len(signs), 1)), np.repeat(signs, n)[:, None] * np.ones(n))


def _matched(
    problem: Problem, starts: Starts, *, outer: Units, trials: Element, solve: Solve
) -> Match:
    sym, batch, n, copies = problem.sym, problem.batch, outer.n, len(trials.permutation)
    alone, inner = Symmetry([outer]), sym.without(outer.name)
    tried = problem.repeated(copies)
    # (copies, n) to (draws * copies, n)
    at = {outer.name: Element(*(np.tile(a, (batch, 1)) for a in trials))}
    moved = dict(tried.draws)
    moved |= act_on_draws(alone, at, {site: moved[site] for site in outer.sites})
    # Given elements are those of the draws as they came: no start for one in another order.
    names = None if isinstance(starts, Mapping) else starts
    found = solve(Problem(moved, tried.objective).of(inner), names)

    # cost[draw, slot, member, sign]: a trial brings member (slot + shift) % n to each slot.
    by_slot = _squares_by_slot(outer, {**moved, **found.sites}, tried).reshape(batch, -1, n, n)
    slot, shift = np.arange(n)[None, :], np.arange(n)[:, None]
    cost = np.empty((batch, n, n, by_slot.shape[1]), by_slot.dtype)
    cost[:, slot, (slot + shift) % n] = np.moveaxis(by_slot, 1, -1)
    least, sign = cost.min(-1), cost.argmin(-1)
    member = assign(-least)
    chosen = member[..., None]
    sign = np.take_along_axis(sign, chosen, -1)[..., 0]  # (draw, slot)
    copy = sign * n + (member - np.arange(n)) % n

    best = {outer.name: Element(member, np.where(sign == 1, -1.0, 1.0).astype(by_slot.dtype))}
    placed = dict(problem.draws)
    placed |= act_on_draws(alone, best, {site: placed[site] for site in outer.sites})
    settled = {}
    for u in inner:
        (dimension,) = (k for k, permuting in sym.outer_of(u) if permuting == outer)
        settled[u.name] = _chosen(found.elements[u.name], copy, dimension)
    # Once more from there: what single changes of the inner units take.
    last = solve(Problem(placed, problem.objective).of(inner), settled)

    still = unmoved(sym, batch, by_slot.dtype)
    elements = sym.compose({**still, **last.elements}, {**still, **best})
    sites = {**placed, **last.sites}
    losses = [last.loss, smallest_loss(outer, -least, None, member)]
    if cost.shape[-1] > 1:
        both = np.take_along_axis(cost, chosen[..., None], 2)[:, :, 0]  # (draw, slot, sign)
        losses.append(np.abs(np.diff(both, axis=-1)).min((-2, -1)))
    return Match(
        elements,
        sites,
        np.sqrt(problem.objective.squared_distance(sites)),
        np.sqrt(problem.objective.squared_distance(problem.draws)),
        np.min(losses, axis=0),
        last.settled,
        np.all(found.exact.reshape(batch, copies), axis=-1),
        last.starts,
    )


def _squares_by_slot(outer: Units, moved: dict[str, np.ndarray], tried: Problem) -> np.ndarray:
    """Squared distances on what belongs to each slot, shape ``(rows, n)``."""
    objective, rows = tried.objective, tried.batch
    out = np.zeros((rows, outer.n), moved[outer.sites[0]].dtype)
    for site, axs in outer.placements:
        squares = np.square(moved[site] - objective.reference[site])
        if objective.weights is not None:
            squares = squares * objective.weights[site]
        for axis in axs:
            out += axis.blocks(squares, outer.n, lead=1).sum(-1)
    return out


def _chosen(element: Element, copy: np.ndarray, dimension: int) -> Element:
    """Of trials ``(draws * copies, *batch, n)``, for each slot the set that the trial it was given
    to found.
    """
    draws, n = copy.shape

    def pick(a: np.ndarray) -> np.ndarray:
        # (draw, copy, slot, *others of the batch, n)
        apart = np.moveaxis(a.reshape(draws, -1, *a.shape[1:]), 2 + dimension, 2)
        return np.moveaxis(apart[np.arange(draws)[:, None], copy, np.arange(n)], 1, 1 + dimension)

    return Element(*map(pick, element))
