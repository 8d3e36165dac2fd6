"""Where descents begin: cheap guesses, and an annealed one."""

from __future__ import annotations

import numpy as np

from ..symmetry import Element, Symmetry, Units
from .annealing import annealed
from .assignment import assign, chosen
from .factors import best_factors
from .scores import Scores

STARTS = ("identity", "forward", "annealed", "random")


def make_start(name: str, scores: Scores, seed: int) -> dict[str, Element]:
    """Elements of shape ``(batch, n)``, one of :data:`STARTS`."""
    if name == "forward":
        return forward(scores)
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


def forward(scores: Scores) -> dict[str, Element]:
    """One ``Units`` after the other, each from the arrays that only it and those before it move.

    A network's first hidden layer is matched by its inputs, the next by the first, and so on:
    right for exact copies, where a descent from the identity starts from noise.
    """
    elements: dict[str, Element] = {}
    for units in scores.objective.sym:
        parts = scores.parts(units, elements, slice(None))
        permutation = assign(best_factors(units.kind, parts)[0])
        elements[units.name] = Element(permutation, factors_at(units, parts, permutation))
    return elements


def factors_at(units: Units, parts: dict[int, np.ndarray], permutation: np.ndarray) -> np.ndarray:
    """The best factor of each unit in the slot where a permutation puts it."""
    return best_factors(units.kind, {q: chosen(part, permutation) for q, part in parts.items()})[1]
