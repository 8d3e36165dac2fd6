"""The compact posterior of planted Gaussians; as a guide, a prior and ArviZ data; VI beside it."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.infer.autoguide import AutoNormal
from planted import LOCATIONS, SHAPES, TWO_LAYERS, chains, dataset, gaussian_network

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.diagnostics import compact_posterior, compare_gaussians


@pytest.fixture(scope="module")
def planted():
    return gaussian_network()


@pytest.fixture(scope="module")
def compact(planted):
    (loc, _), _, renamed = planted
    return compact_posterior(renamed, TWO_LAYERS, reference=loc)


def test_planted_spread_comes_back_and_is_inflated_unaligned(planted, compact):
    (loc, scale), _, renamed = planted
    unaligned = compact_posterior(renamed)
    for name in SHAPES:
        ratio = compact.scale[name] / scale[name]
        assert abs(ratio.mean() - 1) < 0.02
        assert (
            np.abs(ratio - 1) < 0.1
        ).mean() > 0.97  # 600 draws: a standard deviation is known to 3 %
        np.testing.assert_allclose(compact.loc[name], loc[name], atol=0.04)
        assert np.median(unaligned.scale[name] / scale[name]) > 4
        assert np.abs(unaligned.loc[name]).mean() < 0.2 * np.abs(loc[name]).mean()


def test_low_rank_keeps_correlations_and_the_marginals():
    rng = np.random.default_rng(0)
    direction = {"a": np.array([1.0, -0.5, 0.0]), "b": np.array([[0.3, 2.0]])}
    shared = rng.normal(size=4000)
    draws = {
        n: np.multiply.outer(shared, d) + 0.1 * rng.normal(size=(4000, *d.shape))
        for n, d in direction.items()
    }
    flat = np.concatenate([x.reshape(4000, -1) for x in draws.values()], -1)
    found = compact_posterior(draws, rank=1)
    made = found.sample(jax.random.key(0), (20000,))
    again = np.concatenate([np.asarray(x).reshape(20000, -1) for x in made.values()], -1)
    np.testing.assert_allclose(np.cov(again.T), np.cov(flat.T), atol=0.12)
    diagonal = compact_posterior(draws)
    assert (diagonal.rank, found.rank) == (0, 1)
    for name in draws:
        np.testing.assert_array_equal(found.scale[name], diagonal.scale[name])
        assert ((found.factor[name] ** 2).sum(-1) <= found.scale[name] ** 2 + 1e-12).all()
    without = diagonal.sample(jax.random.key(0), (20000,))
    assert abs(np.corrcoef(without["a"][:, 0], without["a"][:, 1])[0, 1]) < 0.03


def test_full_rank_is_the_covariance():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4))
    factor = compact_posterior({"x": x}, rank=4).factor["x"]
    np.testing.assert_allclose(factor @ factor.T, np.cov(x.T), atol=1e-12)


def test_as_the_guide_that_numpyro_knows():
    rng = np.random.default_rng(0)
    draws = {"w": rng.normal(2.0, 0.5, (500, 3)), "noise": rng.normal(-1.0, 0.1, 500)}
    found = compact_posterior(draws)

    def model():
        numpyro.sample("w", dist.Normal(0, 1).expand([3]).to_event(1))
        numpyro.sample("noise", dist.Normal(0, 1))

    guide = AutoNormal(model)
    handlers.seed(guide, jax.random.key(0))()
    made = guide.sample_posterior(
        jax.random.key(1), found.auto_normal_params(), sample_shape=(4000,)
    )
    for name, x in draws.items():
        np.testing.assert_allclose(made[name].mean(0), x.mean(0), atol=0.04)
        np.testing.assert_allclose(made[name].std(0), x.std(0), rtol=0.05)

    def with_prior():
        numpyro.sample("w", dist.Normal(found.loc["w"], found.scale["w"]).to_event(1))

    drawn = handlers.trace(handlers.seed(with_prior, jax.random.key(0))).get_trace()["w"]
    expected = dist.Normal(found.loc["w"], found.scale["w"]).log_prob(drawn["value"]).sum()
    np.testing.assert_allclose(drawn["fn"].log_prob(drawn["value"]), expected, rtol=1e-5)


def test_arviz_in_and_out():
    data = chains()
    found = compact_posterior(data, LOCATIONS, var_names=["mu"])
    np.testing.assert_allclose(np.sort(found.loc["mu"]), [-4, 0, 4], atol=0.05)
    np.testing.assert_allclose(found.scale["mu"], 0.2, rtol=0.1)
    back = found.to_arviz(jax.random.key(0), num_draws=300)
    assert type(back) is type(data)
    assert dataset(back)["mu"].shape == (1, 300, 3)
    assert repr(found) == "CompactPosterior(mu[3], rank=0)"
    assert found.size == 6
    assert set(compact_posterior(data).loc) == {"mu", "f"}


@pytest.mark.parametrize("sites", [["w2"], ["w1", "b1"], ["w3"]])
def test_sites_are_cut_after_all_are_aligned(planted, compact, sites):
    """One site may not tell its units apart, or hold no unit at all."""
    (loc, _), _, renamed = planted
    some = compact_posterior(renamed, TWO_LAYERS, reference=loc, var_names=sites)
    assert list(some.loc) == sites
    for name in sites:
        np.testing.assert_array_equal(some.loc[name], compact.loc[name])
        np.testing.assert_array_equal(some.scale[name], compact.scale[name])


def test_dtype_is_kept():
    found = compact_posterior(
        {"w": np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)}, rank=1
    )
    assert found.loc["w"].dtype == found.scale["w"].dtype == found.factor["w"].dtype == np.float32


def test_vi_against_hmc(planted, compact):
    """A guide with halved spreads, units renamed: only the spreads differ once it is aligned."""
    (loc, scale), _, _ = planted
    narrow = {name: s / 2 for name, s in scale.items()}
    g = {
        name: nsym.Element(*map(np.asarray, e))
        for name, e in TWO_LAYERS.sample(jax.random.key(3)).items()
    }
    unsigned = {name: nsym.Element(e.permutation, np.abs(e.factor)) for name, e in g.items()}
    guide = TWO_LAYERS.act(g, loc), TWO_LAYERS.act(unsigned, narrow)
    found = compare_gaussians(guide, (compact.loc, compact.scale), TWO_LAYERS)
    assert list(found["site"].values) == list(TWO_LAYERS.sites)
    np.testing.assert_allclose(found["sd_ratio"], 0.5, rtol=0.05)
    assert (found["correlation"] > 0.99).all()
    assert (found["distance"] < 0.35 * found["distance_before"]).all()
    by_hand = sum(
        float(((loc[n] - compact.loc[n]) ** 2).sum() + ((narrow[n] - compact.scale[n]) ** 2).sum())
        for n in SHAPES
    )
    assert float((found["distance"] ** 2).sum()) == pytest.approx(by_hand, rel=1e-6)


REFUSED = {
    "hold no site of floats": lambda: compact_posterior({}),
    "1 draws do not give": lambda: compact_posterior({"w": np.ones((1, 2))}),
    "20 draws do not give standard deviations and 20 directions": lambda: compact_posterior(
        {"w": np.ones((20, 2))}, rank=20
    ),
    "var_names asks for 'z'": lambda: compact_posterior({"w": np.ones((20, 2))}, var_names=["z"]),
    "leaves nothing of": lambda: compact_posterior({"w": np.ones((20, 2))}, var_names=[]),
    "same number of draws": lambda: compact_posterior(
        {"w": np.ones((20, 2)), "v": np.ones((19, 2))}
    ),
    "an ArviZ object with a posterior, or a dict of draws": lambda: compact_posterior(jnp.ones(3)),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()
