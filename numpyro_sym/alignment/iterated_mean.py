"""The iterated mean: a reference that is no draw in particular."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..symmetry import Symmetry
from .engine.matching import match
from .engine.objective import Arrays, to_reference
from .engine.problem import Match


def match_to_mean(
    draws: Arrays,
    sym: Symmetry,
    weights: Arrays | None,
    starts: Sequence[str] | None,
    num_threads: int,
    max_iterations: int = 100,
) -> tuple[dict[str, np.ndarray], Match]:
    """Match to the first draw, then to the mean of the matched, until no element moves.

    Each step lowers the sum of squared distances (generalized Procrustes analysis), so the
    permutations and signs come to rest; scales until the sum falls by less than one millionth.
    """
    reference = {name: a[0] for name, a in draws.items()}
    found = match(draws, to_reference(sym, reference, weights), starts, num_threads)
    for _ in range(max_iterations):
        reference = {name: a.mean(0) for name, a in found.sites.items()}
        before, at = found, to_reference(sym, reference, weights)
        found = match(draws, at, before.elements, num_threads)
        if _is_still(before, found):
            break
    return reference, found


def _is_still(before: Match, after: Match) -> bool:
    for name, element in after.elements.items():
        if not np.array_equal(before.elements[name].permutation, element.permutation):
            return False
    old = np.square(before.distance, dtype=float).sum()
    new = np.square(after.distance, dtype=float).sum()
    return old - new <= 1e-6 * old
