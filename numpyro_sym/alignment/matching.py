"""A flat batch of draws matched to one reference: chunks, threads, distances."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from ..symmetry import Element, Symmetry
from .descent import descend
from .objective import Arrays, Objective, Scores

# Draws go through the solver in chunks that stay in a processor's cache.
_CHUNK_BYTES = 2**22


class Match(NamedTuple):
    """Elements of shape ``(batch, n)``; aligned sites; distances and gaps of shape ``(batch,)``."""

    elements: dict[str, Element]
    sites: dict[str, np.ndarray]
    distance: np.ndarray
    distance_before: np.ndarray
    gap: np.ndarray


def match(draws: Arrays, objective: Objective, start: Mapping[str, Element] | None, num_threads: int) -> Match:
    """Match every draw, from the identity or from given elements.

    :param draws: site name -> array of shape ``(batch, *site)``.
    """
    sym = objective.sym
    batch = len(next(iter(draws.values())))
    per_draw = sum(a[:1].nbytes for a in draws.values()) + 8 * sum(u.n**2 for u in sym)
    size = max(1, min(_CHUNK_BYTES // max(per_draw, 1), -(-batch // num_threads)))
    chunks = [slice(i, i + size) for i in range(0, batch, size)] or [slice(0, 0)]

    def run(chunk: slice) -> Match:
        some = {name: a[chunk] for name, a in draws.items()}
        given = None if start is None else {n: Element(*(a[chunk] for a in e)) for n, e in start.items()}
        return _match_chunk(some, objective, given)

    if num_threads == 1 or len(chunks) == 1:
        done = [run(c) for c in chunks]
    else:
        with ThreadPoolExecutor(num_threads) as pool:
            done = list(pool.map(run, chunks))
    return _joined(done)


def host_identity(sym: Symmetry, batch: int, dtype: np.dtype) -> dict[str, Element]:
    """The identity as NumPy arrays that may be written to."""
    return {u.name: Element(np.tile(np.arange(u.n), (batch, 1)), np.ones((batch, u.n), dtype)) for u in sym}


def _match_chunk(draws: Arrays, objective: Objective, start: Mapping[str, Element] | None) -> Match:
    first = next(iter(draws.values()))
    start = host_identity(objective.sym, len(first), first.dtype) if start is None else start
    found = descend(Scores(objective, draws), start)
    moved = objective.sym.act(found.elements, draws)
    squared = objective.squared_distance(moved)
    before = np.sqrt(objective.squared_distance(draws))
    distance = np.sqrt(squared)
    return Match(found.elements, moved, distance, before, np.sqrt(squared + found.loss) - distance)


def _joined(parts: list[Match]) -> Match:
    if len(parts) == 1:
        return parts[0]
    elements, sites, *arrays = zip(*parts, strict=True)
    return Match(
        {n: Element(*map(np.concatenate, zip(*(e[n] for e in elements), strict=True))) for n in elements[0]},
        {n: np.concatenate([s[n] for s in sites]) for n in sites[0]},
        *map(np.concatenate, arrays),
    )
