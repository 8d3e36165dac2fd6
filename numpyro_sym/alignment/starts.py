"""Where descents begin: cheap guesses, and an annealed one."""

from __future__ import annotations

import numpy as np

from ..symmetry import Element, Symmetry
from .annealing import annealed
from .scores import Scores

STARTS = ("identity", "forward", "annealed", "random")


def make_start(name: str, scores: Scores, seed: int) -> dict[str, Element]:
    """Elements of shape ``(batch, n)`` to descend from, by one of the names in :data:`STARTS`.

    ``"forward"`` is the empty start: see :func:`descend`.
    """
    if name == "forward":
        return {}
    if name == "annealed":
        return annealed(scores)
    if name == "random":
        return random(scores.objective.sym, scores.batch, scores.dtype, seed)
    return identity(scores.objective.sym, scores.batch, scores.dtype)


def identity(sym: Symmetry, batch: int, dtype: np.dtype) -> dict[str, Element]:
    """The draws as they came."""
    return {u.name: Element(np.tile(np.arange(u.n), (batch, 1)), np.ones((batch, u.n), dtype)) for u in sym}


def random(sym: Symmetry, batch: int, dtype: np.dtype, seed: int) -> dict[str, Element]:
    """Uniform permutations, and signs where there are signs; scales are left to the descent."""
    rng = np.random.default_rng(seed)
    return {
        u.name: Element(
            rng.permuted(np.tile(np.arange(u.n), (batch, 1)), axis=1),
            rng.choice([-1, 1], (batch, u.n)).astype(dtype) if u.kind == "signed" else np.ones((batch, u.n), dtype),
        )
        for u in sym
    }
