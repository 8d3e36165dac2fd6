"""Starts that lie in the best modes: found without being told where these are."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import runs
from numpyro import handlers
from numpyro.diagnostics import split_gelman_rubin
from numpyro.infer import MCMC, NUTS

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.mcmc import OrderedReparam, good_starts

SIX = nsym.mixture(6, {"weights": 0, "mu": 0, "sigma": 0})


def plane():
    """Six clusters in the plane, each of its own scale, told apart by their first coordinate."""
    rng = np.random.default_rng(3)
    centers, scales = (
        np.stack([np.linspace(-8, 8, 6), rng.normal(0, 5, 6)], 1),
        rng.uniform(0.4, 1.2, 6),
    )
    which = rng.integers(6, size=300)
    return (centers[which] + scales[which][:, None] * rng.normal(size=(300, 2))).astype(np.float32)


def mixture(y):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.full(6, 2.0)))
    with numpyro.plate("component", 6):
        mu = numpyro.sample("mu", dist.Normal(0, 5).expand([2]).to_event(1))
        sigma = numpyro.sample("sigma", dist.HalfNormal(1.5))
    each = dist.Normal(mu, sigma[:, None]).to_event(1)
    numpyro.sample("y", dist.MixtureSameFamily(dist.Categorical(weights), each), obs=y)


KERNELS = {
    "folded": (mixture, lambda model: nsym.FoldedNUTS(model, SIX, keys={"component": ("mu", 0)})),
    "ordered": (
        handlers.reparam(mixture, config=OrderedReparam(SIX, keys={"component": ("mu", 0)})),
        NUTS,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "given"), [("folded", True), ("folded", False), ("ordered", True)]
)
def test_six_components_in_the_plane(name, given):
    """The control: from NumPyro's own starts chains end in modes that are no copies of
    each other.
    """
    model, kernel = KERNELS[name]
    start = good_starts(jax.random.key(1), model, plane()) if given else None
    draws = runs.sample(
        kernel(model), plane(), num_warmup=150, num_samples=150, init_params=start
    ).draws
    rhat = max(float(np.max(split_gelman_rubin(draws[site]))) for site in SIX.sites)
    assert rhat < 1.1 if given else rhat > 1.5


def lopsided():
    """A peak at 1.5, and one at -1.5 that is three nats lower."""
    two = dist.Normal(jnp.array([1.5, -1.5]), 0.3)
    numpyro.sample(
        "x", dist.MixtureSameFamily(dist.Categorical(logits=jnp.array([0.0, -3.0])), two)
    )


@pytest.mark.parametrize(("within", "expected"), [(2.0, {1.5}), (4.0, {-1.5, 1.5})])
def test_only_ends_within_so_many_nats_of_the_best_are_kept(within, expected):
    ends = good_starts(jax.random.key(0), lopsided, num_chains=20, within=within)["x"]
    assert set(np.round(np.asarray(ends, float), 2).tolist()) == expected


def test_one_chain_has_no_leading_dimension():
    start = good_starts(jax.random.key(0), lopsided, num_chains=1, num_tries=4)
    assert start["x"].shape == ()
    mcmc = MCMC(NUTS(lopsided), num_warmup=5, num_samples=5, progress_bar=False)
    mcmc.run(jax.random.key(0), init_params=start)


@pytest.mark.parametrize(
    "wrong", [{"num_chains": 0}, {"num_tries": 0}, {"num_steps": 0}, {"within": -1.0}]
)
def test_refused(wrong):
    with pytest.raises(SymmetryError, match=f"{next(iter(wrong))} must be"):
        good_starts(jax.random.key(0), lopsided, **wrong)


@pytest.mark.parametrize(("num_tries", "within"), [(2, 5.0), (4, 0.0)])
def test_no_two_chains_share_a_start(num_tries, within):
    with pytest.raises(SymmetryError, match=r"start of their own|share starts"):
        good_starts(
            jax.random.key(0),
            lopsided,
            num_chains=4,
            num_tries=num_tries,
            within=within,
            num_steps=1,
        )
