"""The best sign or scale of one unit in one slot."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...symmetry import SymmetryError, Units
from ...symmetry.units import Kind
from .assignment import chosen

# Scales beyond this would only say that a unit is dead on one side.
_LARGEST_SCALE = 1e6


def best_factors(kind: Kind, parts: Mapping[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The largest score over factors, and the factor that reaches it, entry by entry.

    :param kind: ``"permutation"``, ``"signed"`` or ``"scaled"``.
    :param parts: exponent q -> coefficients of ``factor**q`` in the score, all of one shape.
    :returns: scores and factors, each of that shape.
    :raises SymmetryError: where units scale with a power other than -1, 0 and 1.

    >>> best_factors("signed", {0: np.array([1.0]), 1: np.array([-2.0])})
    (array([3.]), array([-1.]))
    """
    some = next(iter(parts.values()))
    one = np.ones((), some.dtype)
    if kind == "permutation" or (kind == "signed" and 1 not in parts):
        return parts[0], np.broadcast_to(one, some.shape)
    if kind == "signed":
        score = np.abs(parts[1])
        if 0 in parts:
            score = parts[0] + score
        return score, np.copysign(one, parts[1])
    if not set(parts) <= {-2, -1, 0, 1, 2}:
        raise SymmetryError(
            f"Scaled Units must act with powers -1, 0 and 1; got exponents {sorted(parts)}."
        )
    zeros = np.zeros_like(some)
    coefficients = [np.asarray(parts.get(q, zeros), float) for q in range(-2, 3)]
    score, factor = _best_scales(coefficients)
    return score.astype(some.dtype), factor.astype(some.dtype)


def factors_at(units: Units, parts: dict[int, np.ndarray], permutation: np.ndarray) -> np.ndarray:
    """The best factor of each unit in the slot where a permutation puts it."""
    if not units.has_factors:
        return np.ones(permutation.shape, parts[0].dtype)
    placed = {q: chosen(part, permutation) for q, part in parts.items()}
    return np.array(best_factors(units.kind, placed)[1])


def _best_scales(coefficients: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Maximize ``m2 / d**2 + m1 / d + zero + p1 d + p2 d**2`` over d > 0, where ``m2, p2 <= 0``.

    With ``d = s e`` and ``s = (m2 / p2)**(1/4)`` the stationary points are the roots of ``e**4 - a
    e**3 + c e - 1``, by Ferrari those of ``e**2 - u e + w`` and ``e**2 - v e + z`` with ``u + v =
    a``, ``w z = -1``, and ``y = w + z = -u v`` the largest root of a cubic without square. Then
    ``w`` is the product of the two largest of three positive roots, of which the middle one is a
    minimum.
    """
    m2, m1, zero, p1, p2 = coefficients
    tiny = np.finfo(float).tiny ** 0.5
    square, inverse = np.maximum(-p2, tiny), np.maximum(-m2, tiny)
    s = (inverse / square) ** 0.25
    a, c = p1 / (2 * square * s), m1 * s / (2 * inverse)
    y = _largest_root(4 - a * c, a**2 - c**2)
    half = np.sqrt(np.maximum(a**2 / 4 + y, 0)) * np.where(a * y / 2 + c < 0, -1, 1)
    spread = np.sqrt(y**2 / 4 + 1)
    u, v = a / 2 + half, a / 2 - half
    # w > 0 > z, each computed without cancellation from the other: w z = -1.
    w = np.where(y > 0, y / 2 + spread, 1 / (spread - y / 2))
    root = np.sqrt(np.maximum(u**2 - 4 * w, 0))
    # The two candidates for the maximum, of which the better one is taken.
    best_score, best = np.full_like(a, -np.inf), np.ones_like(a)
    for e in ((v + np.sqrt(v**2 + 4 / w)) / 2, (u + root) / 2):
        d = np.clip(s * _polished(np.maximum(e, tiny), a, c), 1 / _LARGEST_SCALE, _LARGEST_SCALE)
        score = m2 / d**2 + m1 / d + zero + p1 * d + p2 * d**2
        better = score > best_score
        best_score, best = np.where(better, score, best_score), np.where(better, d, best)
    return best_score, best


def _largest_root(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The largest real root of ``y**3 + p y + q``."""
    discriminant = q**2 / 4 + p**3 / 27
    # Cardano where there is one real root, the cosine where there are three.
    outer = np.cbrt(np.abs(q) / 2 + np.sqrt(np.maximum(discriminant, 0))) * np.where(q > 0, -1, 1)
    one = outer - p / np.where(outer == 0, np.inf, 3 * outer)
    radius = np.sqrt(np.maximum(-p / 3, 0))
    cosine = np.clip(-q / np.where(radius == 0, np.inf, 2 * radius**3), -1, 1)
    return np.where(discriminant >= 0, one, 2 * radius * np.cos(np.arccos(cosine) / 3))


def _polished(e: np.ndarray, a: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Two steps of Newton on the quartic, where they help."""
    for _ in range(2):
        value, slope = ((e - a) * e**2 + c) * e - 1, (4 * e - 3 * a) * e**2 + c
        step = value / np.where(slope == 0, np.inf, slope)
        e = np.where(np.abs(step) < e / 2, e - step, e)
    return e
