"""How many chains it takes to see every functional mode."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import quad
from scipy.stats import halfnorm, poisson

from ...symmetry import SymmetryError, kinds
from ...symmetry.arguments import check_arguments, describe
from ...symmetry.arrays import real_array

#: How many modes, and how rare: what is counted in seconds.
MOST_MODES, LEAST_PROBABILITY = 10_000, 1e-8
_MOST_TERMS = 10**7
#: A mode that so many chains are expected to be in is seen, to the last digit.
_SURE = 90.0
_CONFIDENCE = kinds.number(0, 1 - 1e-12, without_ends=True, expected="a number between 0 and 1")


def chains_needed(
    num_modes: Annotated[int, kinds.whole(1, MOST_MODES)] | None = None,
    *,
    probabilities: ArrayLike | None = None,
    confidence: Annotated[float, _CONFIDENCE] = 0.99,
    method: Literal["exact", "markov"] = "exact",
) -> int:
    """The number of independent chains that see every mode with the given confidence.

    Each chain settles in mode ``k`` with probability ``p_k``; ``G`` chains are needed to have seen
    all: the coupon collector's problem with unequal probabilities. ``"exact"`` is the least ``n``
    with ``P(G <= n) >= confidence``. ``"markov"`` is the bound of Wiese et al. 2023 (section 3.2):
    ``P(G < n) >= 1 - E[G] / n``.

    :param num_modes: how many modes; their probabilities are then those that Wiese et al. take, a
        half-normal density on an even grid of ``[0, 1.96]``, normalized.
    :param probabilities: the modes' probabilities, summing to one, in place of ``num_modes``.
    :param confidence: in (0, 1).
    :param method: ``"exact"`` or ``"markov"``.
    :returns: a number of chains.
    :raises SymmetryError: unless exactly one of ``num_modes`` and ``probabilities`` is given, and
        both they and ``confidence`` are in range.

    >>> chains_needed(3), chains_needed(3, method="markov")
    (54, 1274)
    >>> chains_needed(probabilities=[0.5, 0.5], confidence=0.999)
    11
    """
    check_arguments(chains_needed, locals())
    p = _probabilities(num_modes, probabilities)
    if method == "markov":
        # The rounding of 1 - confidence must not ask for one chain more.
        return int(np.ceil(_expected(p) / (1 - confidence) * (1 - 1e-12)))
    _refuse_long_work(p, confidence)
    # Few are missed: P(G > n) is nearly sum_k (1 - p_k)^n, and never more.
    high = max(len(p), _bonferroni(p, confidence))
    low = len(p) - 1
    near = high - max(2, high // 1000)
    if near > low:
        if _seen_all(p, near) < confidence:
            low = near
        else:
            high = near
    while high - low > 1:
        middle = (low + high) // 2
        if _seen_all(p, middle) < confidence:
            low = middle
        else:
            high = middle
    return high


def _probabilities(num_modes: int | None, given: ArrayLike | None) -> np.ndarray:
    if (num_modes is None) == (given is None):
        raise SymmetryError("chains_needed: give either num_modes or probabilities.")
    if num_modes is not None:
        density = halfnorm.pdf(np.linspace(0, 1.96, num_modes))
        return density / density.sum()
    expected = f"at most {MOST_MODES} numbers of at least {LEAST_PROBABILITY:g} that sum to one"
    p = real_array("chains_needed", "probabilities", given, expected, ndim=(1,)).astype(float)
    if not (p > 0).all() or abs(p.sum() - 1) > 1e-6:
        raise SymmetryError(
            f"chains_needed: probabilities must be positive and sum to one; got {describe(given)}."
        )
    if len(p) > MOST_MODES or p.min() < LEAST_PROBABILITY:
        raise SymmetryError(
            f"chains_needed: probabilities must be {expected}; got {len(p)}, the least "
            f"{p.min():.3g}. A mode in which one chain of a hundred million settles is seen by no "
            "number of chains that could be run."
        )
    return p / p.sum()


def _bonferroni(p: np.ndarray, confidence: float) -> int:
    """The least n with ``sum_k (1 - p_k)^n <= 1 - confidence``: as many chains are enough."""
    rate = -np.log1p(-np.minimum(p, 1 - 1e-16))
    low, high = 0, 1
    while np.exp(-rate * high).sum() > 1 - confidence:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if np.exp(-rate * middle).sum() > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _refuse_long_work(p: np.ndarray, confidence: float) -> None:
    """Raise where the sums would take minutes."""
    n = _bonferroni(p, confidence)
    if (p * n < _SURE).sum() * len(_angles(n)) > _MOST_TERMS:
        raise SymmetryError(
            f"chains_needed: {len(p)} modes, the rarest of probability {p.min():.3g}, are too many "
            f"to count exactly; {n} chains are enough. Use method='markov' for the bound, or put "
            "rare modes together."
        )


def _expected(p: np.ndarray) -> float:
    """E[G] = sum over proper subsets J of (-1)^(K-1-|J|) / (1 - sum_J p), as one integral.

    Chains that start at the points of a Poisson process see mode k at an exponential time of rate
    p_k, all apart from one another: E[G] is the mean of the last. No 2^K terms, nothing cancels.
    """
    scale = 1 / p.min()

    def still_missing(t: float) -> float:
        if t <= 0:
            return 1.0
        return float(-np.expm1(np.log(-np.expm1(-p * t * scale)).sum()))

    total = 0.0
    for a, b in pairwise((0.0, 1e-3, 1e-1, 1.0, 5.0, 20.0, 100.0)):
        piece, _ = quad(still_missing, a, b, epsabs=1e-13, epsrel=1e-11, limit=500)
        total += piece
    return scale * total


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
    steps = _angles(n)
    angle = 2 * np.pi * steps / (4 * n + 64)
    turn = n * np.expm1(1j * angle)
    # Modes that n chains see for sure are one factor together: exp(p x) - 1 is exp(p x) to the last
    # digit.
    sure = p * n >= _SURE
    terms = np.exp(p[sure].sum() * turn)
    for p_k in p[~sure]:
        terms *= np.exp(p_k * turn) - np.exp(-p_k * n)
    # n angle, whole turns taken off before it is rounded.
    phase = 2 * np.pi * ((n * steps) % (4 * n + 64)) / (4 * n + 64)
    return float((terms * np.exp(-1j * phase)).sum().real / (4 * n + 64) / _at_the_mean(n))


def _at_the_mean(n: int) -> float:
    """The Poisson probability of n where n is expected; by Stirling's series where logarithms of n!
    cancel.
    """
    if n < 100:
        return float(poisson.pmf(n, n))
    return float(np.exp(-1 / (12 * n) + 1 / (360 * n**3)) / np.sqrt(2 * np.pi * n))


def _angles(n: int) -> np.ndarray:
    """Numbers of the points on the circle, of ``4 n + 64``, at which the terms are not zero to the
    last digit.

    Away from angle 0 the product falls at least like ``exp(-n (1 - cos angle)) + ...``: where that
    is below rounding, and n is large, there is nothing to add.
    """
    points = 4 * n + 64
    reach = points // 2
    if n >= 2000:
        reach = min(reach, int(points / (2 * np.pi) * np.sqrt(160 / n)) + 1)
    if 2 * reach >= points - 1:
        return np.arange(points)
    return np.arange(-reach, reach + 1)
