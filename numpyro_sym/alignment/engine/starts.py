"""Where descents begin: cheap guesses, and an annealed one."""

from __future__ import annotations

import numpy as np

from ...symmetry import Element, Symmetry
from .annealing import annealed
from .scores import Scores

STARTS = ("identity", "forward", "annealed", "random")


def make_start(name: str, scores: Scores, seed: int) -> dict[str, Element]:
    """Elements of shape ``(batch, *units.shape)`` to descend from, by one of the names in :data:`STARTS`.

    ``"forward"`` is the empty start: see :func:`descend`.
    """
    if name == "forward":
        return {}
    if name == "annealed":
        return annealed(scores)
    if name == "random":
        return random(scores.objective.sym, scores.batch, scores.dtype, seed)
    return unmoved(scores.objective.sym, scores.batch, scores.dtype)


def unmoved(sym: Symmetry, batch: int, dtype: np.dtype) -> dict[str, Element]:
    """The draws as they came."""
    return {u.name: Element(_straight(u.n, (batch, *u.shape)), np.ones((batch, *u.shape), dtype)) for u in sym}


def random(sym: Symmetry, batch: int, dtype: np.dtype, seed: int) -> dict[str, Element]:
    """Uniform permutations, and signs where there are signs; scales are left to the descent."""
    rng = np.random.default_rng(seed)
    elements = {}
    for u in sym:
        shape = (batch, *u.shape)
        permutation = rng.permuted(_straight(u.n, shape), axis=-1)
        factor = rng.choice([-1, 1], shape) if u.kind == "signed" else np.ones(shape)
        elements[u.name] = Element(permutation, factor.astype(dtype))
    return elements


def _straight(n: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(np.arange(n), shape).copy()
