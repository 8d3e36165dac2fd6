"""Transpositions and Kendall's tau: known values, and SciPy and brute force as oracles."""

from itertools import permutations

import numpy as np
import pytest
import scipy.stats

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.diagnostics import kendall_tau, num_transpositions, transpositions


def test_known_values():
    assert num_transpositions(np.arange(7)) == 0
    assert num_transpositions([1, 2, 0]) == 2
    assert num_transpositions([0]) == 0
    assert num_transpositions(np.roll(np.arange(512), 1)) == 511


def test_random_permutations_of_512():
    """505.18 +- 2.27: n less the harmonic number of n."""
    rng = np.random.default_rng(0)
    found = num_transpositions(rng.permuted(np.tile(np.arange(512), (4000, 1)), axis=1))
    assert found.mean() == pytest.approx(505.18, abs=4 * 2.27 / np.sqrt(4000))
    assert found.std() == pytest.approx(2.27, rel=0.05)


def test_every_permutation_of_five_by_breadth_first_search():
    found = {tuple(range(5)): 0}
    frontier = list(found)
    while frontier:
        reached = []
        for p in frontier:
            for i in range(5):
                for j in range(i):
                    q = list(p)
                    q[i], q[j] = q[j], q[i]
                    if tuple(q) not in found:
                        found[tuple(q)] = found[p] + 1
                        reached.append(tuple(q))
        frontier = reached
    every = list(permutations(range(5)))
    assert num_transpositions(every).tolist() == [found[p] for p in every]


def test_between_draws_it_is_what_separates_their_labels():
    """Two draws moved to one reference: from one to the other are the exchanges that
    were planted.
    """
    rng = np.random.default_rng(0)
    reference = np.arange(8.0) * 10
    p, q = (rng.permuted(np.tile(np.arange(8), (50, 1)), axis=1) for _ in range(2))
    first, second = (reference[x] + 0.1 * rng.normal(size=(50, 8)) for x in (p, q))
    sym = nsym.mixture(8, {"mu": 0})
    elements = [nsym.align({"mu": x}, {"mu": reference}, sym).elements for x in (first, second)]
    planted = [num_transpositions([list(a).index(i) for i in b]) for a, b in zip(p, q, strict=True)]
    assert transpositions(*elements)["component"].tolist() == planted
    assert transpositions(elements[0])["component"].tolist() == num_transpositions(p).tolist()
    assert (transpositions(elements[0], elements[0])["component"] == 0).all()


@pytest.mark.parametrize("n", [2, 5, 40])
def test_kendall_is_scipys(n):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(6, n)), rng.normal(size=(6, n))
    expected = [scipy.stats.kendalltau(x, y).statistic for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(kendall_tau(a, b), expected, atol=1e-12)
    np.testing.assert_allclose(kendall_tau(a, -a), -1)


def test_unrelated_orders_have_no_correlation():
    rng = np.random.default_rng(0)
    found = kendall_tau(rng.normal(size=(500, 64)), rng.normal(size=(500, 64)))
    sd = np.sqrt(2 * (2 * 64 + 5) / (9 * 64 * 63))
    assert found.mean() == pytest.approx(0, abs=4 * sd / np.sqrt(500))
    assert found.std() == pytest.approx(sd, rel=0.15)


REFUSED = {
    "does not hold each once": lambda: num_transpositions([[0, 0, 1]]),
    "every row a permutation of": lambda: num_transpositions(3),
    "lack Units 'a'": lambda: transpositions({"a": nsym.Element(np.arange(2), np.ones(2))}, {}),
    "two orders of the same n": lambda: kendall_tau([1, 2], [1, 2, 3]),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()
