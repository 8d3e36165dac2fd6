"""The discrepancy against its definition; p values uniform under one law, small under two."""

import tracemalloc

import numpy as np
import pytest
import scipy.stats
from planted import LOCATIONS, chains

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.diagnostics import _mmd as module
from numpyro_sym.diagnostics import mmd
from numpyro_sym.diagnostics._mmd import BANDWIDTHS
from numpyro_sym.diagnostics.order_statistics import ranked


@pytest.mark.parametrize("tile", [1, 5, 8, 1024])
def test_unbiased_estimate_by_its_definition(tile, monkeypatch):
    """However many draws are held against however many at once."""
    monkeypatch.setattr(module, "_TILE", tile)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 2)), rng.normal(size=(7, 2)) + 1
    both = np.concatenate([x, y])
    distance = np.linalg.norm(both[:, None] - both, axis=-1)
    typical = np.median(distance[np.triu_indices(16, 1)])

    def k(a, b):
        r = np.linalg.norm(a - b) / typical
        return np.mean(
            [f for h in BANDWIDTHS for f in (np.exp(-((r / h) ** 2) / 2), np.exp(-r / h))]
        )

    def mean(a, b, same):
        return np.mean(
            [k(p, q) for i, p in enumerate(a) for j, q in enumerate(b) if not (same and i == j)]
        )

    expected = mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)
    assert mmd(x, y, num_permutations=9).squared == pytest.approx(expected, abs=1e-13)


def test_every_split_is_by_the_definition(monkeypatch):
    """In tiles as in one, and as the kernel's sums over each split have it."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(13, 3))
    belongs = np.array([rng.permutation(13) < 5 for _ in range(20)])
    distance = np.linalg.norm(x[:, None] - x, axis=-1)
    kernel = module._kernel(distance / np.median(distance[np.triu_indices(13, 1)]))
    np.fill_diagonal(kernel, 0)
    expected = [
        kernel[np.ix_(b, b)].sum() / 20
        + kernel[np.ix_(~b, ~b)].sum() / 56
        - 2 * kernel[np.ix_(b, ~b)].mean()
        for b in belongs
    ]
    for tile in (4, 1024):
        monkeypatch.setattr(module, "_TILE", tile)
        np.testing.assert_allclose(module._unbiased(x, belongs), expected, atol=1e-13)


def test_memory_grows_with_the_draws_and_not_with_their_pairs(monkeypatch):
    """One matrix of all pairs would be 72 MB."""
    monkeypatch.setattr(module, "_TILE", 256)
    x = np.random.default_rng(0).normal(size=(3000, 2))
    tracemalloc.start()
    mmd(x[:1500], x[1500:], num_permutations=99)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5e7


@pytest.mark.parametrize("count", [1, 2, 7, 100, 1001])
def test_order_statistics_of_what_is_told_in_parts(count):
    """Ties, zeros and numbers of all sizes among them, against sorting."""
    rng = np.random.default_rng(count)
    x = np.abs(rng.normal(size=count)) * 10.0 ** rng.integers(-320, 300, size=count)
    x[rng.random(count) < 0.3] = 0.5
    x[rng.random(count) < 0.1] = 0.0
    ranks = sorted({0, (count - 1) // 2, count // 2, count - 1})
    parts = np.array_split(x, 3)
    assert ranked(lambda: parts, ranks) == np.sort(x)[ranks].tolist()


def test_p_values_of_one_law_are_uniform():
    rng = np.random.default_rng(0)
    found = [
        mmd(rng.normal(size=(40, 3)), rng.normal(size=(30, 3)), num_permutations=199, rng_key=i)
        for i in range(150)
    ]
    assert scipy.stats.kstest([f.p_value for f in found], "uniform").pvalue > 0.01
    squared = np.array([f.squared for f in found])
    assert abs(squared.mean()) < 4 * squared.std() / np.sqrt(len(squared))


@pytest.mark.parametrize("change", [lambda y: y + 0.7, lambda y: 2.5 * y])
def test_a_shift_and_a_spread_are_seen(change):
    rng = np.random.default_rng(0)
    for seed in range(5):
        x, y = rng.normal(size=(100, 3)), change(rng.normal(size=(100, 3)))
        assert mmd(x, y, rng_key=seed).p_value < 0.01


def test_runs_of_one_posterior_differ_until_they_are_aligned():
    first, second = chains(seed=1), chains(seed=2)
    a = nsym.rebasin(first, LOCATIONS)
    b = nsym.rebasin(second, LOCATIONS, reference=a)
    thin = slice(None, None, 10)
    raw = mmd(*(d.posterior["mu"].values[1, thin] for d in (first, a)))
    aligned = mmd(*(d.posterior["mu"].values[:, thin].reshape(-1, 3) for d in (a, b)))
    assert raw.p_value < 0.01
    assert aligned.p_value > 0.01
    assert mmd(a, b, var_names=["mu"], num_permutations=20).p_value > 1 / 21 - 1e-9


def test_refused():
    with pytest.raises(SymmetryError, match="two draws each of the same size"):
        mmd(np.ones((4, 2)), np.ones((4, 3)))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_values_that_are_not_finite_are_no_distance(wrong):
    x = np.random.default_rng(0).normal(size=(20, 2))
    broken = x.copy()
    broken[3, 1] = wrong
    for first, second in ((x, broken), (broken, x), ({"w": broken}, {"w": x})):
        with pytest.raises(SymmetryError, match="NaN or infinity"):
            mmd(first, second)


@pytest.mark.parametrize("unit", [1e-200, 1e-30, 1e25, 1e200])
def test_units_of_measurement_do_not_count(unit):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 1
    assert mmd(unit * x, unit * y).p_value == mmd(x, y).p_value
