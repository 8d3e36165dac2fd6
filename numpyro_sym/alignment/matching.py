"""A flat batch of draws matched to one reference: chunks, threads, distances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from ..symmetry import Element
from .descent import Descent, descend
from .moves import Elements, act_on_draws
from .objective import Arrays, Objective
from .scores import Scores, take
from .starts import make_start

# Draws go through the solver in chunks that stay in a processor's cache.
_CHUNK_BYTES = 2**22


class Match(NamedTuple):
    """Elements of shape ``(batch, n)``; aligned sites; distances and gaps and starts used of shape ``(batch,)``."""

    elements: dict[str, Element]
    sites: dict[str, np.ndarray]
    distance: np.ndarray
    distance_before: np.ndarray
    gap: np.ndarray
    starts: np.ndarray


def match(
    draws: Arrays,
    objective: Objective,
    starts: Sequence[str] | Elements,
    num_threads: int,
) -> Match:
    """Match every draw, from named starts or from given elements.

    :param draws: site name -> array of shape ``(batch, *site)``.
    """
    sym = objective.sym
    batch = len(next(iter(draws.values())))
    per_draw = sum(a[:1].nbytes for a in draws.values()) + 8 * sum(u.n**2 for u in sym)
    size = max(1, min(_CHUNK_BYTES // max(per_draw, 1), -(-batch // num_threads)))
    chunks = [slice(i, i + size) for i in range(0, batch, size)] or [slice(0, 0)]

    def run(chunk: slice) -> Match:
        some = {name: a[chunk] for name, a in draws.items()}
        given = {n: take(e, chunk) for n, e in starts.items()} if isinstance(starts, Mapping) else starts
        return _match_chunk(some, objective, given, chunk.start)

    if num_threads == 1 or len(chunks) == 1:
        done = [run(c) for c in chunks]
    else:
        with ThreadPoolExecutor(num_threads) as pool:
            done = list(pool.map(run, chunks))
    return _joined(done)


def _match_chunk(draws: Arrays, objective: Objective, starts: Sequence[str] | Elements, seed: int) -> Match:
    scores = Scores(objective, draws)
    if isinstance(starts, Mapping):
        found, used = descend(scores, dict(starts)), np.ones(scores.batch, int)
    else:
        found, used = _from_several(scores, starts, seed)
    moved = act_on_draws(objective.sym, found.elements, draws)
    squared = objective.squared_distance(moved)
    before, distance = np.sqrt(objective.squared_distance(draws)), np.sqrt(squared)
    return Match(found.elements, moved, distance, before, np.sqrt(squared + found.loss) - distance, used)


def _from_several(scores: Scores, starts: Sequence[str], seed: int) -> tuple[Descent, np.ndarray]:
    """The best of several descents; a draw that has settled, or whose optimum is exact, needs no more."""
    found = descend(scores, make_start(starts[0], scores, seed))
    used = np.ones(scores.batch, int)
    if scores.objective.is_linear:
        return found, used
    rows = np.flatnonzero(~found.settled)
    for i, name in enumerate(starts[1:]):
        if not rows.size:
            break
        some = Scores(scores.objective, {site: x[rows] for site, x in scores.draws.items()})
        other = descend(some, make_start(name, some, seed + i))
        here = Descent({n: take(e, rows) for n, e in found.elements.items()}, found.loss[rows], found.settled[rows])
        better = _distance(some, other) < _distance(some, here)
        _replace(found, rows[better], other, better)
        used[rows] += 1
    return found, used


def _distance(scores: Scores, found: Descent) -> np.ndarray:
    return scores.objective.squared_distance(act_on_draws(scores.objective.sym, found.elements, scores.draws))


def _replace(found: Descent, rows: np.ndarray, other: Descent, better: np.ndarray) -> None:
    for name, element in found.elements.items():
        for whole, values in zip(element, other.elements[name], strict=True):
            whole[rows] = values[better]
    found.loss[rows] = other.loss[better]
    found.settled[rows] = other.settled[better]


def _joined(parts: list[Match]) -> Match:
    if len(parts) == 1:
        return parts[0]
    elements, sites, *arrays = zip(*parts, strict=True)
    return Match(
        {n: Element(*map(np.concatenate, zip(*(e[n] for e in elements), strict=True))) for n in elements[0]},
        {n: np.concatenate([s[n] for s in sites]) for n in sites[0]},
        *map(np.concatenate, arrays),
    )
