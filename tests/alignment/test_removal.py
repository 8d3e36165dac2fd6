"""Labels by votes of neighbors: as counted one by one, and in little memory."""

import tracemalloc

import numpy as np
import pytest

import numpyro_sym as nsym
from numpyro_sym.alignment import removal, remove_symmetry
from numpyro_sym.alignment.engine.assignment import assign


@pytest.mark.parametrize("votes_at_once", [1, 50, 2**22])
def test_labels_are_those_of_most_neighbors(votes_at_once, monkeypatch):
    """One label a unit, half a vote for the one it has; whatever is counted at once."""
    monkeypatch.setattr(removal, "_VOTES", votes_at_once)
    rng = np.random.default_rng(0)
    draws, n, neighbors = 7, 4, 5
    label = np.concatenate([rng.permutation(n) for _ in range(draws)])
    near = rng.integers(draws * n, size=(draws * n, neighbors))
    votes = np.zeros((draws * n, n))
    for unit in range(draws * n):
        for other in near[unit]:
            votes[unit, label[other]] += 1
        votes[unit, label[unit]] += 0.5
    expected = assign(votes.reshape(draws, n, n)).ravel()
    np.testing.assert_array_equal(removal._elected(label, near, n), expected)


def test_many_units_take_little_memory():
    """With a row of an identity matrix for each vote these would be 1 GB."""
    rng = np.random.default_rng(0)
    places = np.arange(256.0)
    order = np.tile(np.arange(256), (60, 1))
    order[:5] = rng.permuted(order[:5], axis=1)
    draws = {"mu": places[order] + 0.1 * rng.normal(size=order.shape)}
    tracemalloc.start()
    found = remove_symmetry(draws, nsym.mixture(256, {"mu": 0}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5e8
    np.testing.assert_array_equal(found.elements["component"].permutation, np.argsort(order))
