"""A symmetry that names labels is used as ever where these are summed out, and so are not there."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import optim
from numpyro.infer import HMC, MCMC, SVI, Trace_ELBO

import numpyro_sym as nsym

Y = jnp.array([-1.4, -0.7, 0.2, 1.1, 1.3])
NAMED = nsym.mixture(2, {"mu": 0}, assignments="z")
BARE = NAMED.without_values()


def summed(y):
    mu = numpyro.sample("mu", dist.Normal(0, 2).expand([2]).to_event(1))
    each = dist.MixtureSameFamily(dist.Categorical(jnp.ones(2) / 2), dist.Normal(mu, 1.0))
    with numpyro.plate("data", len(y)):
        numpyro.sample("y", each, obs=y)


def folded(sym, **options):
    kernel = nsym.Folded(HMC(summed, trajectory_length=1.0), sym, **options)
    mcmc = MCMC(kernel, num_warmup=10, num_samples=10, progress_bar=False)
    mcmc.run(jax.random.key(0), Y)
    return mcmc.get_samples()["mu"]


@pytest.mark.parametrize("options", [{}, {"where": "transition"}], ids=["draws", "transition"])
def test_folds_are_the_same(options):
    np.testing.assert_array_equal(folded(NAMED, **options), folded(BARE, **options))


def test_reparameterized_models_are_the_same():
    one, two = (
        numpyro.handlers.reparam(summed, config=nsym.ReferenceSetReparam(sym))
        for sym in (NAMED, BARE)
    )
    values = [
        numpyro.handlers.trace(numpyro.handlers.seed(m, 0)).get_trace(Y)["mu"]["value"]
        for m in (one, two)
    ]
    np.testing.assert_array_equal(*values)


def test_guides_are_the_same():
    def trained(sym):
        svi = SVI(summed, nsym.AutoSymmetrizedNormal(summed, sym), optim.Adam(0.05), Trace_ELBO())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return svi.run(jax.random.key(0), 20, Y, progress_bar=False).losses

    np.testing.assert_array_equal(trained(NAMED), trained(BARE))
