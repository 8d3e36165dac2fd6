"""How many chains it takes to see every functional mode."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from scipy.integrate import quad
from scipy.stats import halfnorm, poisson

from ..symmetry import SymmetryError


def chains_needed(
    num_modes: int | None = None,
    *,
    probabilities: Sequence[float] | None = None,
    confidence: float = 0.99,
    method: Literal["exact", "markov"] = "exact",
) -> int:
    """The number of independent chains that see every mode with the given confidence.

    Each chain settles in mode ``k`` with probability ``p_k``; ``G`` chains are needed to have seen
    all: the coupon collector's problem with unequal probabilities. ``"exact"`` is the least ``n`` with
    ``P(G <= n) >= confidence``. ``"markov"`` is the bound of Wiese et al. 2023 (section 3.2):
    ``P(G < n) >= 1 - E[G] / n``.

    :param num_modes: how many modes; their probabilities are then those that Wiese et al. take, a
        half-normal density on an even grid of ``[0, 1.96]``, normalised.
    :param probabilities: the modes' probabilities, summing to one, in place of ``num_modes``.
    :param confidence: in (0, 1).
    :param method: ``"exact"`` or ``"markov"``.
    :returns: a number of chains.
    :raises SymmetryError: unless exactly one of ``num_modes`` and ``probabilities`` is given, and both
        they and ``confidence`` are in range.

    >>> chains_needed(3), chains_needed(3, method="markov")
    (54, 1274)
    >>> chains_needed(probabilities=[0.5, 0.5], confidence=0.999)
    11
    """
    p = _probabilities(num_modes, probabilities)
    if not 0 < confidence < 1:
        raise SymmetryError(f"chains_needed: confidence must be between 0 and 1; got {confidence}.")
    if method == "markov":
        # The rounding of 1 - confidence must not ask for one chain more.
        return int(np.ceil(_expected(p) / (1 - confidence) * (1 - 1e-12)))
    if method != "exact":
        raise SymmetryError(f"chains_needed: method must be 'exact' or 'markov'; got {method!r}.")
    high = len(p)
    while _seen_all(p, high) < confidence:
        high *= 2
    low = max(high // 2, len(p) - 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _seen_all(p, middle) >= confidence else (middle, high)
    return high


def _probabilities(num_modes: int | None, given: Sequence[float] | None) -> np.ndarray:
    if (num_modes is None) == (given is None):
        raise SymmetryError("chains_needed: give either num_modes or probabilities.")
    if given is None:
        if isinstance(num_modes, bool) or not isinstance(num_modes, (int, np.integer)) or num_modes < 1:
            raise SymmetryError(f"chains_needed: num_modes must be a positive int; got {num_modes!r}.")
        density = halfnorm.pdf(np.linspace(0, 1.96, num_modes))
        return density / density.sum()
    p = np.asarray(given, float)
    if p.ndim != 1 or not p.size or not (p > 0).all() or abs(p.sum() - 1) > 1e-6:
        raise SymmetryError(f"chains_needed: probabilities must be positive and sum to one; got {given!r}.")
    return p / p.sum()


def _expected(p: np.ndarray) -> float:
    """E[G] = sum over proper subsets J of (-1)^(K-1-|J|) / (1 - sum_J p), as one integral.

    Chains that start at the points of a Poisson process see mode k at an exponential time of rate
    p_k, all apart from one another: E[G] is the mean of the last. No 2^K terms, nothing cancels.
    """
    scale = 1 / p.min()

    def still_missing(t: float) -> float:
        return float(-np.expm1(np.log(-np.expm1(-p * t * scale)).sum())) if t > 0 else 1.0

    ends = (0.0, 1e-3, 1e-1, 1.0, 5.0, 20.0, 100.0)
    pieces = (quad(still_missing, a, b, epsabs=1e-13, epsrel=1e-11, limit=500)[0] for a, b in pairwise(ends))
    return scale * sum(pieces)


def _seen_all(p: np.ndarray, n: int) -> float:
    """P(G <= n) = sum over subsets J of (-1)^|J| (1 - sum_J p)^n, without its 2^K terms.

    It is the coefficient of x^n in prod_k (exp(p_k x) - 1), times n!. Read off a circle of radius
    n, where the terms peak, by the trapezoidal rule: exact but for aliases at n +- 2n, which are
    beyond rounding there.
    """
    if n < len(p):
        return 0.0
    if len(p) == 1:
        return 1.0
    points = 4 * n + 64
    angle = 2 * np.pi * np.arange(points) / points
    terms = np.ones(points, complex)
    turn = n * np.expm1(1j * angle)
    for p_k in p:
        terms *= np.exp(p_k * turn) - np.exp(-p_k * n)
    return float((terms * np.exp(-1j * n * angle)).mean().real / poisson.pmf(n, n))
