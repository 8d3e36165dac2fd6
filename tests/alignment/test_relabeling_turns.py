"""Relabeling by turns: what comes to rest, where it begins, and numbers near zero."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from numpyro_sym.alignment import data_based, ecr_iterative, ecr_soft, stephens
from numpyro_sym.alignment.relabeling import probabilities, rounds, starts

N, DRAWS, OBSERVATIONS = 4, 30, 12
EVERY = np.array(list(permutations(range(N))))


def _noise(seed):
    """Draws without any structure, of which every method has many ends."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(N, 0.3), size=(DRAWS, OBSERVATIONS))
    z = (p.cumsum(-1) < rng.random((DRAWS, OBSERVATIONS, 1))).sum(-1).clip(max=N - 1)
    return p, z, rng.normal(size=OBSERVATIONS)


# What does not come to rest -----------------------------------------------------------------------


def test_a_circle_ends_with_its_best_and_says_so():
    unsettled = {"soft": 0, "data": 0}
    for seed in range(60):
        p, z, y = _noise(seed)
        for name, found in (("soft", ecr_soft(z, p)), ("data", data_based(z, y, N))):
            unsettled[name] += not found.settled
            assert (np.sort(found.permutation) == np.arange(N)).all()
        soft = ecr_soft(z, p)
        moved = np.take_along_axis(p, soft.permutation[:, None, :], -1)
        own = moved.mean(0).argmax(-1)
        assert (own == soft.pivot).all() == soft.settled
        new = np.take_along_axis(np.argsort(soft.permutation, -1), z, -1)
        assert (new != soft.pivot).sum() == soft.objective
    assert 0 < unsettled["soft"] < 60
    assert 0 < unsettled["data"] < 60


def test_of_a_circle_the_lowest_is_kept():
    # Pivots 0 -> 1 -> 2 -> 3 -> 1; the start's own objective is the least, and no part of it.
    objective = {0: 0.0, 1: 5.0, 2: 3.0, 3: 4.0}
    following = {0: 1, 1: 2, 2: 3, 3: 1}

    def match(pivot):
        return np.array([[int(pivot)]]), objective[int(pivot)]

    turns = rounds.Turns(match, lambda permutation, pivot: np.array(following[int(pivot)]))
    found = rounds.go_round(turns, np.array(0))
    assert (int(found.pivot), found.objective, found.settled) == (2, 3.0, False)
    assert found.permutation.item() == 2
    following[3] = 3
    found = rounds.go_round(turns, np.array(0))
    assert (int(found.pivot), found.objective, found.settled) == (3, 4.0, True)


def test_without_time_nothing_settles(monkeypatch):
    p, z, y = _noise(0)
    monkeypatch.setattr(rounds, "MAX_ITERATIONS", 1)
    for found in (stephens(p), ecr_iterative(z, N), data_based(z, y, N)):
        assert not found.settled
        assert (np.sort(found.permutation) == np.arange(N)).all()


def test_groups_are_settled_where_all_are():
    groups = np.arange(OBSERVATIONS) % 2
    seen = set()
    for seed in range(40):
        _, z, y = _noise(seed)
        parts = [data_based(z[:, groups == g], y[groups == g], N).settled for g in range(2)]
        assert data_based(z, y, N, groups).settled == all(parts)
        seen.add(all(parts))
    assert seen == {True, False}


# Where it begins ----------------------------------------------------------------------------------


def _as_in_r(draws, cost, renew):
    """label.switching (Papastamoulis 2016): by turns, from the labels as the draws came."""
    permutation, before = np.tile(np.arange(N), (draws, 1)), np.inf
    while True:
        costs = cost(renew(permutation))
        permutation = np.stack([linear_sum_assignment(c)[1] for c in costs])
        total = sum(c[np.arange(N), q].sum() for c, q in zip(costs, permutation, strict=True))
        if total > before - 1e-6:
            return before
        before = total


def _stephens_as_in_r(p):
    def cost(mean):
        own = (p * np.log(p)).sum(1)
        return own[:, None, :] - np.einsum("ik,dil->dkl", np.log(mean), p)

    def renew(permutation):
        return np.take_along_axis(p, permutation[:, None, :], -1).mean(0)

    return _as_in_r(len(p), cost, renew)


def _ecr_as_in_r(z):
    hot = z[..., None] == np.arange(N)

    def cost(pivot):
        at = pivot[:, None] == np.arange(N)
        return OBSERVATIONS / N - np.einsum("ik,dil->dkl", 1.0 * at, 1.0 * hot)

    def renew(permutation):
        return np.take_along_axis(hot, permutation[:, None, :], -1).sum(0).argmax(-1)

    return _as_in_r(len(z), cost, renew)


def _positive(p):
    return (p + 1e-6) / (1 + N * 1e-6)


def test_stephens_is_never_above_the_labels_as_they_came(monkeypatch):
    above = 0
    for seed in range(25):
        p = _positive(_noise(seed)[0])
        theirs = _stephens_as_in_r(p)
        assert stephens(p).objective <= theirs * (1 + 1e-9)
        with monkeypatch.context() as alone:  # the negative control: from the first draw alone
            alone.setattr(rounds, "_lowest", lambda found: found[0])
            above += stephens(p).objective > theirs * (1 + 1e-9)
    assert above > 5


def test_ecr_is_above_the_labels_as_they_came_by_ties_alone(monkeypatch):
    """Assignments of counts have ties, and which of two is taken leads to other ends."""
    ours, alone, theirs = [], [], []
    for seed in range(40):
        z = _noise(seed)[1]
        theirs.append(_ecr_as_in_r(z))
        ours.append(ecr_iterative(z, N).objective)
        with monkeypatch.context() as first:  # the negative control
            first.setattr(rounds, "_lowest", lambda found: found[0])
            alone.append(ecr_iterative(z, N).objective)
    assert np.mean(ours) < np.mean(theirs) - 3
    assert np.mean(np.array(ours) <= theirs) > 0.9
    assert np.mean(np.array(alone) <= theirs) < 0.7


def test_starts_compared_with_few_draws_end_no_higher(monkeypatch):
    """Where ends of the few lie apart all draws begin as they came, too."""
    monkeypatch.setattr(starts, "_ENTRIES", 1)
    monkeypatch.setattr(starts, "_LEAST", 8)
    assert len(starts.few_of(DRAWS, OBSERVATIONS, N)) == 8
    for seed in range(12):
        p, z, _ = _noise(seed)
        p = _positive(p)
        found = stephens(p)
        assert found.permutation.shape == (DRAWS, N)
        assert found.objective <= _stephens_as_in_r(p) * (1 + 1e-9)
        assert ecr_iterative(z, N).permutation.shape == (DRAWS, N)
        assert ecr_soft(z, p).permutation.shape == (DRAWS, N)


def test_few_draws_are_spread_and_all_where_they_are_few():
    np.testing.assert_array_equal(starts.few_of(100, 50, 3), np.arange(100))
    rows = starts.few_of(10**6, 10**4, 10)
    assert rows[0] == 0
    assert rows[-1] == 10**6 - 1
    assert len(np.unique(rows)) == len(rows) == 83
    begun = starts.spread_starts(np.arange(83), [np.array(-1), np.array(-2)])
    assert [int(start) for start in begun] == [0, -1, -2, 27, 54, 82]
    assert len(starts.spread_starts(np.arange(1), [])) == 1


def test_starts_that_end_alike_are_enough():
    asked = []

    def match(pivot):
        asked.append(int(pivot))
        return np.array([[0]]), ends[int(pivot)]

    turns = rounds.Turns(match, lambda permutation, pivot: pivot)
    pivots = [np.array(i) for i in range(5)]
    ends = [5.0, 5.0, 5.0, 1.0, 5.0]
    found = rounds.from_the_best(rounds.go_round, turns, pivots, None, lambda: pivots[0])
    assert (found.objective, asked) == (5.0, [0, 1, 2])
    ends[1], asked[:] = 6.0, []
    found = rounds.from_the_best(rounds.go_round, turns, pivots, None, lambda: pivots[0])
    assert (found.objective, asked) == (1.0, [0, 1, 2, 3, 4])


# Numbers near zero --------------------------------------------------------------------------------


def _sharp(dtype):
    """Probabilities of which many are subnormal numbers, or as small as gives them."""
    rng = np.random.default_rng(3)
    exponents = rng.uniform(0, -np.log10(np.finfo(dtype).tiny) + 3, size=(DRAWS, OBSERVATIONS, N))
    p = 10.0**-exponents
    p[..., 0] = 1.0
    p = rng.permuted(p, axis=-1)
    return (p / p.sum(-1, keepdims=True)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_subnormal_numbers_are_left(dtype):
    p = _sharp(dtype)
    tiny = np.finfo(dtype).tiny
    assert ((p > 0) & (p < tiny)).any()
    kept = probabilities.by_label(p)
    least = probabilities.smallest(kept.dtype)
    assert ((kept == 0) | (kept >= least)).all()
    # Not even in products with logarithms, the smallest of which is a rounding error.
    assert least * np.finfo(dtype).eps / 2 > tiny
    np.testing.assert_allclose(kept.swapaxes(-1, -2), p, rtol=0, atol=least)
    assert p.flags.writeable
    assert ((p > 0) & (p < tiny)).any()  # what came is left as it was


def test_sharp_draws_have_the_least_divergence():
    p = _sharp("float64")
    r = stephens(p)
    least = probabilities.smallest(p.dtype)
    q = np.where(p < least, 0, p)

    def divergence(a, order):
        return (
            a[:, order]
            * (np.log(np.maximum(a[:, order], least)) - np.log(np.maximum(r.pivot, least)))
        ).sum()

    best = [min(divergence(a, order) for order in EVERY) for a in q]
    ours = [divergence(a, order) for a, order in zip(q, r.permutation, strict=True)]
    np.testing.assert_allclose(ours, best, rtol=1e-9)
    np.testing.assert_allclose(r.objective, sum(best))


def test_both_precisions_end_alike():
    rng = np.random.default_rng(0)
    center = 3.0 * np.arange(N)
    y = center[np.arange(40) % N] + 0.1 * rng.normal(size=40)
    shuffles = rng.permuted(np.tile(np.arange(N), (DRAWS, 1)), axis=1)
    mu = center[shuffles] + 0.05 * rng.normal(size=(DRAWS, N))
    log_p = -0.5 * np.square((y[None, :, None] - mu[:, None, :]) / 0.1)
    p = np.exp(log_p - log_p.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    single, double = stephens(p.astype(np.float32)), stephens(p)
    np.testing.assert_array_equal(single.permutation, double.permutation)
    np.testing.assert_array_equal(
        np.take_along_axis(shuffles, double.permutation, -1), np.tile(shuffles[0], (DRAWS, 1))
    )
