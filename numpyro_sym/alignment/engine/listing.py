"""Small groups, listed: exact where coordinate descent proves nothing."""

from __future__ import annotations

from functools import partial
from itertools import chain, combinations
from math import prod

import numpy as np

from ...symmetry import Element, Symmetry
from ._families import Shapes, families, lone_outer, sets_as_draws
from .moves import act_on_draws
from .objective import touching
from .problem import Match, Problem, Solve, Starts, in_chunks
from .scores import take
from .starts import unmoved

#: Elements of the units that are listed, at most.
MOST_LISTED = 400
_MOST_UNITS = 8


def cover(sym: Symmetry, shapes: Shapes) -> tuple[str, ...] | None:
    """The units to list, of the fewest elements together, so that one assignment for each of the
    others is exact.

    :returns: their names; ``None`` where that is nowhere near.
    """
    # Others have too many elements by themselves.
    small = [u for u in sym if u.order <= MOST_LISTED]
    if len(small) > _MOST_UNITS:
        return None
    best: tuple[str, ...] | None = None
    fewest: int | float = MOST_LISTED + 1
    for some in chain.from_iterable(combinations(small, k) for k in range(len(small) + 1)):
        names = tuple(u.name for u in some)
        order = prod(u.order for u in some)
        if order < fewest and is_exact(sym.without(*names), shapes):
            best, fewest = names, order
    return best


def is_exact(sym: Symmetry, shapes: Shapes) -> bool:
    """Whether the optimum is found without a search."""
    return all(_is_exact_family(part, shapes) for part in families(sym) if part.units)


def _is_exact_family(sym: Symmetry, shapes: Shapes) -> bool:
    sets = sets_as_draws(sym, shapes)
    if sets is not None:
        rest = {}
        for site, axes in sets.axes.items():
            rest[site] = tuple(n for k, n in enumerate(shapes[site]) if k not in axes)
        return is_exact(sets.sym, rest)
    outer = lone_outer(sym, shapes)
    if outer is not None:
        return is_exact(sym.without(outer.name), shapes)
    if any(sym.outer_of(u) for u in sym):
        return False
    return not any(touching(sym, shapes).values())


def listed(problem: Problem, *, names: tuple[str, ...], solve: Solve) -> dict[str, Element]:
    """The elements that bring each draw nearest, by trying every element of the named units.

    :param solve: matches the others, exactly.
    """
    some = Symmetry(u for u in problem.sym.in_order_of_action if u.name in names)
    every = {name: Element(*map(np.asarray, e)) for name, e in some.elements().items()}
    work = partial(_listed, some=some, every=every, solve=solve)
    return in_chunks(problem, None, int(some.order), work).elements


def _listed(
    problem: Problem, starts: Starts, *, some: Symmetry, every: dict[str, Element], solve: Solve
) -> Match:
    sym, batch, copies = problem.sym, problem.batch, int(some.order)
    rest = sym.without(*(u.name for u in some))
    tried = problem.repeated(copies)
    dtype = next(iter(problem.draws.values())).dtype
    at = {}
    for name, e in every.items():
        # (copies, *batch, n) to (draws * copies, *batch, n)
        times = (batch, *[1] * (e.permutation.ndim - 1))
        at[name] = Element(np.tile(e.permutation, times), np.tile(e.factor.astype(dtype), times))
    moved = dict(tried.draws)
    moved |= act_on_draws(some, at, {site: moved[site] for site in some.sites})
    still = unmoved(sym, len(tried.draws[sym.sites[0]]), dtype)
    step = {}
    if rest.units:
        found = solve(Problem(moved, tried.objective).of(rest), None)
        moved, step = {**moved, **found.sites}, found.elements
    # (draws * copies,)
    square = tried.objective.squared_distance(moved)
    # Each draw's best copy.
    row = square.reshape(batch, copies).argmin(-1) + copies * np.arange(batch)
    first = {name: take(e, row) for name, e in {**still, **at}.items()}
    second = {name: take(e, row) for name, e in {**still, **step}.items()}
    elements = sym.compose(second, first)
    sites = {site: moved[site][row] for site in sym.sites}
    blank = np.zeros(batch)
    return Match(elements, sites, np.sqrt(square[row]), blank, blank, blank, blank, blank)
