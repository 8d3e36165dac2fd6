"""Units that commute, matched by coordinate descent: chunks, threads, several starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np

from ...symmetry import Element
from ...symmetry.bars import advance, expect
from .descent import descend
from .moves import Elements, act_on_draws
from .objective import Arrays, Objective
from .problem import Match, Problem, Starts
from .scores import Scores, take
from .start_choice import FORWARD_OR_ANNEALED, chosen_starts, is_told_apart
from .starts import BRIEFLY, make_start

# Draws go through the solver in chunks that stay in a processor's cache.
_CHUNK_BYTES = 2**23


def match_directly(
    problem: Problem,
    starts: Starts,
    num_threads: int,
    listing: Callable[[Problem], dict[str, Element]] | None = None,
) -> Match:
    """Match the draws from named starts until each match has settled, or from given elements.

    :param listing: the elements of the optimum, where they can be listed: the second start.
    """
    draws, objective = problem
    if starts is None and listing is None and chosen_starts(objective):
        return _from_chosen(problem, num_threads)
    if starts is None:
        recurrent = [u.n for u in objective.sym if objective.is_quadratic(u)]
        starts = ("forward", "annealed", "identity")
        if recurrent and max(recurrent) <= 16:
            starts += ("random",) * 64
    if isinstance(starts, Mapping):
        return _from_one(draws, objective, starts, 0, num_threads)
    found = _from_one(draws, objective, starts[0], 0, num_threads)
    if objective.is_linear:
        return found
    # A match without conflict proves less where units' own moves change their scores, or where no
    # array tells any units by itself, so that the start is blind: two starts must agree.
    quadratic = any(map(objective.is_quadratic, objective.sym))
    is_proof = objective.has_array_of_its_own and not quadratic
    doubtful = np.full(len(found.settled), not is_proof)
    if listing is not None:
        rows = np.flatnonzero(~found.settled | doubtful)
        if rows.size:
            some = problem.take(rows)
            best = _from_one(*some, listing(some), 0, num_threads)
            found.replace_where(np.ones(len(rows), bool), rows, best)
            found.exact[rows] = True
        return found
    for seed, name in enumerate(starts[1:], 1):
        agree = _improve(found, ~found.settled | doubtful, problem, name, seed, num_threads)
        doubtful[agree] = False
    # A start elsewhere may end farther away than the draw was.
    _improve(found, found.distance > found.distance_before, problem, "identity", 0, num_threads)
    return found


def _from_chosen(problem: Problem, num_threads: int) -> Match:
    """Match the draws by few starts; a later one as far as it may still come nearer."""
    draws, objective = problem
    first, *others = chosen_starts(objective)
    found = _from_one(draws, objective, first, 0, num_threads)
    for name in others:
        _improve(found, ~found.settled, problem, name, 0, num_threads, race=True)
    _improve(found, found.distance > found.distance_before, problem, "identity", 0, num_threads)
    return found


def _improve(
    found: Match,
    where: np.ndarray,
    problem: Problem,
    name: str,
    seed: int,
    num_threads: int,
    race: bool = False,
) -> np.ndarray:
    """Replace matches by those of another start where these are nearer, in place; which
    rows agree.

    :param race: whether the other start is given up where it falls behind.
    """
    rows = np.flatnonzero(where)
    if not rows.size:
        return rows
    to_beat = found.distance[rows] if race else None
    other = _from_one(*problem.take(rows), name, seed, num_threads, to_beat)
    agree = rows[np.isclose(other.distance, found.distance[rows], rtol=1e-6, atol=0)]
    used = found.starts[rows] + 1
    found.replace_where(other.distance < found.distance[rows], rows, other)
    found.starts[rows] = used
    return agree


def _from_one(
    draws: Arrays,
    objective: Objective,
    start: str | Elements,
    seed: int,
    num_threads: int,
    to_beat: np.ndarray | None = None,
) -> Match:
    """One descent for every draw.

    :param to_beat: distances; a descent that cannot come nearer any more is given up.
    """
    batch = len(next(iter(draws.values())))
    per_draw = sum(a[:1].nbytes for a in draws.values())
    # The scores beside the draws.
    per_draw += 8 * sum(u.sets * u.n**2 for u in objective.sym)
    # Small enough for the cache, and a chunk for every thread.
    size = max(1, min(_CHUNK_BYTES // max(per_draw, 1), -(-batch // num_threads)))
    chunks = [slice(i, min(i + size, batch)) for i in range(0, batch, size)]

    expect("matches", batch)
    if len(chunks) == 1:
        found = _match_chunk(draws, objective.of_rows(np.arange(batch)), start, seed, to_beat)
        advance("matches", batch)
        return found
    out = _blank(draws, objective)

    def run(chunk: slice) -> None:
        some = {name: a[chunk] for name, a in draws.items()}
        given = start
        if isinstance(start, Mapping):
            given = {name: take(e, chunk) for name, e in start.items()}
        at = objective.of_rows(np.arange(batch)[chunk])
        near = None if to_beat is None else to_beat[chunk]
        done = _match_chunk(some, at, given, seed + chunk.start, near)
        for whole, values in zip(jax.tree.leaves(out), jax.tree.leaves(done), strict=True):
            whole[chunk] = values

    with ThreadPoolExecutor(num_threads) as pool:
        done = map(run, chunks) if num_threads == 1 else pool.map(run, chunks)
        for chunk, _ in zip(chunks, done, strict=True):
            advance("matches", chunk.stop - chunk.start)
    return out


def _blank(draws: Arrays, objective: Objective) -> Match:
    """Arrays for the matches of all draws."""
    some = next(iter(draws.values()))
    batch = len(some)

    def floats(*shape: int) -> np.ndarray:
        return np.empty((batch, *shape), some.dtype)

    elements = {}
    for u in objective.sym:
        elements[u.name] = Element(np.empty((batch, *u.shape), int), floats(*u.shape))
    sites = {name: np.empty(x.shape, x.dtype) for name, x in draws.items()}
    settled, exact = np.empty(batch, bool), np.empty(batch, bool)
    starts = np.empty(batch, int)
    return Match(elements, sites, floats(), floats(), floats(), settled, exact, starts)


def _match_chunk(
    draws: Arrays,
    objective: Objective,
    start: str | Elements,
    seed: int,
    to_beat: np.ndarray | None = None,
) -> Match:
    if start == FORWARD_OR_ANNEALED:
        return _forward_or_annealed(draws, objective, seed)
    scores = Scores(objective, draws)
    if isinstance(start, str):
        start = make_start(start, scores, seed)
    behind = None
    if to_beat is not None and start:
        at_start = act_on_draws(objective.sym, start, draws)
        behind = objective.squared_distance(at_start) - np.square(to_beat)
    found = descend(scores, start, behind)
    moved = act_on_draws(objective.sym, found.elements, draws)
    return Match(
        found.elements,
        moved,
        np.sqrt(objective.squared_distance(moved)),
        np.sqrt(objective.squared_distance(draws)),
        found.loss,
        found.settled,
        np.full(scores.batch, objective.is_linear),
        np.ones(scores.batch, int),
    )


def _forward_or_annealed(draws: Arrays, objective: Objective, seed: int) -> Match:
    """Some draws layer by layer, and annealed where that does not settle; the others annealed at
    once.
    """
    problem = Problem(draws, objective)
    found = _blank(draws, objective)
    forward = is_told_apart(Scores(objective, draws))
    rows = np.flatnonzero(forward)
    if rows.size:
        some = problem.take(rows)
        told = _match_chunk(some.draws, some.objective, "forward", seed)
        found.replace_where(forward[rows], rows, told)
        rows = rows[~found.settled[rows]]
        _improve(found, np.isin(np.arange(len(forward)), rows), problem, BRIEFLY, seed, 1)
    rows = np.flatnonzero(~forward)
    if rows.size:
        some = problem if rows.size == len(forward) else problem.take(rows)
        found.replace_where(
            ~forward[rows], rows, _match_chunk(some.draws, some.objective, BRIEFLY, seed)
        )
    return found
