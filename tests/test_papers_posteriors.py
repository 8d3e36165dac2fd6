"""What the experiments on posteriors and checkpoints compute is what they say."""

import sys
from importlib import import_module
from pathlib import Path

import jax
import numpy as np
import pytest

from numpyro_sym import Element
from numpyro_sym.diagnostics import mmd

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    """Imports a module of the experiments as its scripts import it."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield lambda name: import_module(f"papers.{name}")
    for name in [n for n in sys.modules if n.split(".")[0] in ("papers", "json_lines")]:
        del sys.modules[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MLP 64-32-16-10", "CNN 4-8"])
def test_checkpoints_keep_their_functions(module, name):
    checkpoints = module("checkpoints")
    network = checkpoints.NETWORKS[name]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(7, 64)).astype(np.float32)
    weights = checkpoints.begin(network, rng, 3)
    before = checkpoints.probabilities(network, weights, x)

    plain, scaled = network.symmetry("permutation"), network.symmetry("scaled")
    moved = plain.act(plain.sample(jax.random.key(0), (3,)), weights)
    factors = {
        u.name: Element(np.tile(np.arange(u.n), (3, 1)), rng.lognormal(size=(3, u.n)))
        for u in scaled
    }
    moved = scaled.act(factors, moved)
    assert not np.allclose(moved["w1"], weights["w1"])
    np.testing.assert_allclose(checkpoints.probabilities(network, moved, x), before, atol=1e-5)

    # Half of the move is none.
    half = {**moved, "w2": weights["w2"]}
    assert np.abs(checkpoints.probabilities(network, half, x) - before).max() > 1e-2


def test_convolutions_see_their_neighbors(module):
    windows = module("checkpoints").windows
    image = np.arange(16.0).reshape(1, 4, 4, 1)
    found = np.asarray(windows(image))
    assert found.shape == (1, 16, 9)
    assert found[0, 5].tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10]
    assert found[0, 0].tolist() == [0, 0, 0, 0, 0, 1, 0, 4, 5]


def test_the_discrepancy_is_that_of_the_library(module):
    posteriors = module("p4_posteriors")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)), 0.5 + rng.normal(size=(30, 3))
    unit = posteriors.median_distance(x, y)
    expected = mmd(x, y, num_permutations=1).squared
    assert posteriors.discrepancy(x, y, unit) == pytest.approx(expected, rel=1e-6)
    assert posteriors.discrepancy(x, y, 3 * unit) != pytest.approx(expected, rel=0.1)


def test_averages_over_orders_are_no_farther_apart(module):
    """Why MMD rises once orders are removed: exactly, on sets that hold every order."""
    discrepancy = module("p4_posteriors").discrepancy
    rng = np.random.default_rng(0)
    for shift in (0.3, 1.0):
        x = np.array([0.0, 3.0]) + rng.normal(size=(60, 2))
        y = np.array([0.0, 3.0 + shift]) + rng.normal(size=(60, 2))
        every = [np.concatenate([z, z[:, ::-1]]) for z in (x, y)]
        assert biased(discrepancy, *every) < biased(discrepancy, x, y)
        # One order against both is farther: the copies that are missing.
        assert biased(discrepancy, every[0], y) > biased(discrepancy, x, y)


def biased(discrepancy, x, y):
    """The squared distance of the two sets' mean embeddings: each draw with itself, too."""
    once = discrepancy(x, y, 2.0)
    for z in (x, y):
        off = discrepancy_within(z, 2.0)
        once += (1 - off) / len(z)
    return once


def discrepancy_within(z, unit):
    """The mean kernel of two different draws; that of a draw with itself is 1."""
    total, widths = 0.0, (0.25, 0.5, 1.0, 2.0, 4.0)
    ratio = np.linalg.norm(z[:, None] - z, axis=-1) / unit
    for width in widths:
        total += np.exp(-ratio / width) + np.exp(-np.square(ratio / width) / 2)
    total /= 2 * len(widths)
    return (total.sum() - len(z)) / (len(z) * (len(z) - 1))


def test_spread_and_imbalance(module):
    p4 = module("p4")
    w = np.array([1.0, -1.0])[:, None]
    assert p4.spread(w) == 1
    assert p4.spread(np.ones((3, 2))) == 0
    along = {
        "w1": np.full((1, 1, 2, 1), 1.0),
        "b1": np.zeros((1, 1, 1)),
        "w2": np.ones((1, 1, 1, 1)),
    }
    along |= {"b2": np.zeros((1, 1, 1)), "w3": np.full((1, 1, 1, 1), 2.0)}
    assert p4.imbalance(along).item() == (2 - 1) + (4 - 1)


def test_densities_of_networks_are_normal(module):
    """And LPPD is that of the mixture of all draws of all chains."""
    from scipy.special import logsumexp
    from scipy.stats import norm

    chains, p3, data = module("p3_chains"), module("p3"), module("data")
    rng = np.random.default_rng(0)
    split = data.Split(*(rng.normal(size=s) for s in ((9, 2), 9, (5, 2), 5)))
    draws = {n: w[:, None] for n, w in chains.begin([3], split, 0, 4, 1.0).items()}
    draws["log noise"] = draws["log noise"] - 0.5
    found = chains.log_densities([3], draws, split, "test")
    assert found.shape == (4, 1, 5)

    w = {n: np.asarray(v)[2, 0] for n, v in draws.items()}
    mean = (np.tanh(split.x_test @ w["w1"] + w["b1"]) @ w["w2"] + w["b2"])[:, 0]
    np.testing.assert_allclose(
        found[2, 0], norm.logpdf(split.y_test, mean, np.exp(-0.5)), rtol=1e-4
    )
    expected = (logsumexp(found[:, 0], axis=0) - np.log(4)).mean()
    assert p3.lppd(found) == pytest.approx(expected)


def test_the_log_joint_is_that_of_the_model(module):
    """Up to a constant: normal weights, half-normal noise on its log scale."""
    from scipy.stats import halfnorm, norm

    chains, data = module("p3_chains"), module("data")
    rng = np.random.default_rng(0)
    split = data.Split(*(rng.normal(size=s) for s in ((9, 2), 9, (5, 2), 5)))
    points = chains.begin([3, 2], split, 0, 4, 1.0)
    points["log noise"] = np.linspace(-1, 0.5, 4, dtype=np.float32)
    x, y = chains.rows(split)
    off = []
    for i in range(4):
        w = {n: np.asarray(v, float)[i] for n, v in points.items()}
        noise = np.exp(w["log noise"])
        h = np.tanh(np.tanh(split.x @ w["w1"] + w["b1"]) @ w["w2"] + w["b2"])
        mean = (h @ w["w3"] + w["b3"])[:, 0]
        expected = norm.logpdf(split.y, mean, noise).sum() + halfnorm.logpdf(noise) + w["log noise"]
        expected += sum(norm.logpdf(v).sum() for n, v in w.items() if n != "log noise")
        off.append(float(chains.log_joint([3, 2], {n: v[i] for n, v in points.items()}, x, y)))
        off[-1] -= expected
    assert np.ptp(off) < 1e-4


@pytest.mark.slow
def test_the_best_ends_are_the_highest(module):
    chains, data = module("p3_chains"), module("data")
    rng = np.random.default_rng(0)
    split = data.Split(*(rng.normal(size=s) for s in ((9, 2), 9, (5, 2), 5)))
    best = chains.best_ends([3], split, 0, 2)
    every = chains.adam([3], chains.begin([3], split, 0, 8, 1.0), *chains.rows(split), 2000)

    def height(weights):
        joint = jax.vmap(lambda w: chains.log_joint([3], w, *chains.rows(split)))
        return np.sort(np.asarray(joint(weights)))

    np.testing.assert_allclose(height(best), height(every)[-2:], rtol=1e-4)
    held = chains.adam([3], best, *chains.rows(split), 20, held=("log noise",))
    assert (held["log noise"] == best["log noise"]).all()
    assert not np.allclose(held["w1"], best["w1"])
