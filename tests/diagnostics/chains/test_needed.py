"""Chains needed: the published figures, brute-force inclusion-exclusion, a simulation."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from numpyro_sym import SymmetryError
from numpyro_sym.diagnostics import chains_needed


def test_published_figures():
    """Wiese et al. 2023, at 99 percent, and what the exact distribution makes of three modes."""
    assert [chains_needed(nu, method="markov") for nu in (2, 3, 4, 5)] == [798, 1274, 1805, 2385]
    assert chains_needed(3) == 54


def missing(p, n):
    """P(G > n) by inclusion and exclusion, in rational numbers."""
    total = sum(p)
    return sum(
        (-1) ** (r - 1) * (total - sum(rest)) ** n / total**n
        for r in range(1, len(p) + 1)
        for rest in combinations(p, r)
    )


def mean(p):
    """E[G] = sum over nonempty subsets of (-1)^(size - 1) / their probability."""
    return sum(
        (-1) ** (r - 1) / sum(rest) for r in range(1, len(p) + 1) for rest in combinations(p, r)
    )


@pytest.mark.parametrize("modes", [1, 2, 4, 7])
@pytest.mark.parametrize("confidence", [0.3, 0.99, 0.99999])
def test_against_inclusion_and_exclusion(modes, confidence):
    weights = np.random.default_rng(modes).integers(1, 20, modes)
    p = [Fraction(int(w), int(weights.sum())) for w in weights]
    floats = [float(x) for x in p]
    n = chains_needed(probabilities=floats, confidence=confidence)
    assert missing(p, n) <= 1 - confidence
    assert n == modes == 1 or missing(p, n - 1) > 1 - confidence
    bound = chains_needed(probabilities=floats, confidence=confidence, method="markov")
    assert bound == int(np.ceil(float(mean(p)) / (1 - confidence) * (1 - 1e-12)))
    assert n <= bound


def test_many_modes_and_rare_ones():
    """Two hundred equal modes: 2^200 subsets. The law of the last is Gumbel's to first order."""
    n = chains_needed(probabilities=np.full(200, 1 / 200))
    assert n == pytest.approx(200 * (np.log(200) - np.log(-np.log(0.99))), rel=0.02)
    rare = chains_needed(probabilities=[1 - 1e-4, 1e-4])
    assert rare == int(np.ceil(np.log(0.01) / np.log1p(-1e-4)))


def test_simulation():
    rng = np.random.default_rng(0)
    p = [0.6, 0.3, 0.1]
    n = chains_needed(probabilities=p, confidence=0.9)
    draws = rng.choice(3, size=(20000, n), p=p)
    seen = np.mean([(draws == k).any(1) for k in range(3)], 0) == 1
    assert seen.mean() == pytest.approx(0.9, abs=0.02)
    assert seen.mean() > 0.89


REFUSED = {
    "give either num_modes or probabilities": lambda: chains_needed(),
    "give either": lambda: chains_needed(3, probabilities=[0.5, 0.5]),
    "num_modes must be an int of at least 1": lambda: chains_needed(0),
    "probabilities must be positive and sum to one": lambda: chains_needed(
        probabilities=[0.5, 0.4]
    ),
    "must be positive": lambda: chains_needed(probabilities=[1.0, 0.0]),
    "confidence must be a number between 0 and 1": lambda: chains_needed(3, confidence=1.0),
    "method must be one of .exact., .markov.": lambda: chains_needed(3, method="guess"),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()


def test_what_cannot_be_counted_in_seconds_is_refused_at_once():
    with pytest.raises(SymmetryError, match="at most 10000"):
        chains_needed(10**9)
    with pytest.raises(SymmetryError, match="of at least 1e-08"):
        chains_needed(probabilities=[1 - 1e-300, 1e-300])
    with pytest.raises(SymmetryError, match=r"too many to count exactly; \d+ chains are enough"):
        chains_needed(10_000)
    assert chains_needed(10_000, method="markov") > 10**6


def test_rare_modes_are_counted_exactly():
    """Two modes: the rarer is missed with probability (1 - p)^n, the other never."""
    for p in (1e-4, 1e-6, 1e-7):
        n = chains_needed(probabilities=[1 - p, p])
        assert n == int(np.ceil(np.log(0.01) / np.log1p(-p)))
