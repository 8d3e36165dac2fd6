"""What NumPyro asks of its own guides: known posteriors under every ELBO, modules, forward mode;
and ArviZ.
"""

import arviz as az
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.contrib.module import random_flax_module
from numpyro.infer import SVI, RenyiELBO, Trace_ELBO, TraceGraph_ELBO, TraceMeanField_ELBO

import numpyro_sym as nsym

ELBOS = {
    "trace": Trace_ELBO(num_particles=16),
    "mean-field": TraceMeanField_ELBO(num_particles=16),
    "graph": TraceGraph_ELBO(num_particles=16),
    "renyi": RenyiELBO(alpha=0.9, num_particles=16),
}


def two_coins(heads, tosses):
    """Which coin gave which count is not known: the posterior is half one product of Betas, half
    the other.
    """
    bias = numpyro.sample("bias", dist.Beta(1.5, 1.5).expand([2]).to_event(1))
    either = [dist.Binomial(tosses, b).log_prob(heads).sum() for b in (bias, bias[::-1])]
    numpyro.factor("heads", jnp.logaddexp(*either))


@pytest.mark.slow
@pytest.mark.parametrize(
    "elbo", ["trace", *(pytest.param(e, marks=pytest.mark.slow) for e in list(ELBOS)[1:])]
)
def test_beta_binomial_with_lost_labels(elbo):
    guide = nsym.AutoSymmetrizedNormal(two_coins, nsym.mixture(2, {"bias": 0}))
    svi = SVI(two_coins, guide, numpyro.optim.Adam(0.02), ELBOS[elbo])
    data = np.array([30, 8]), 40
    params = svi.run(jax.random.key(1), 1500, *data, progress_bar=False).params
    draws = np.sort(
        guide.sample_posterior(jax.random.key(2), params, sample_shape=(4000,))["bias"], axis=1
    )
    np.testing.assert_allclose(draws.mean(0), [9.5 / 43, 31.5 / 43], atol=0.02)
    deviations = [
        np.sqrt(a * b / (a + b) ** 2 / (a + b + 1)) for a, b in ((9.5, 33.5), (31.5, 11.5))
    ]
    np.testing.assert_allclose(draws.std(0), deviations, rtol=0.15)
    median = guide.median(params)["bias"]
    np.testing.assert_allclose(median[0], median[1], atol=1e-4)


def logistic(x, y=None):
    """Two features that are measured twice each, their coefficients exchangeable in pairs."""
    w = numpyro.sample("w", dist.Normal(0, 1).expand([2, 2]).to_event(2))
    numpyro.sample("y", dist.Bernoulli(logits=x @ w.sum(1)).to_event(1), obs=y)


@pytest.mark.slow
def test_logistic_regression_keeps_its_coefficients():
    x = np.random.default_rng(0).normal(size=(2000, 2))
    y = np.random.default_rng(1).random(2000) < 1 / (1 + np.exp(-x @ np.array([1.0, -2.0])))
    sym = nsym.Symmetry([nsym.Units("copy", 2, axes={"w": 1})])
    guide = nsym.AutoSymmetrizedNormal(logistic, sym)
    svi = SVI(logistic, guide, numpyro.optim.Adam(0.02), Trace_ELBO())
    params = svi.run(jax.random.key(0), 1500, x, y * 1, progress_bar=False).params
    draws = guide.sample_posterior(jax.random.key(2), params, sample_shape=(1000,))["w"].sum(-1)
    np.testing.assert_allclose(draws.mean(0), [1.0, -2.0], atol=0.2)


def module(x, y=None):
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(1)(jnp.tanh(nn.Dense(4)(x)))

    net = random_flax_module("net", Net(), dist.Normal(0, 1), input_shape=(1,))
    numpyro.sample("y", dist.Normal(net(x)[:, 0], 0.3).to_event(1), obs=y)


X = np.linspace(-2, 2, 20)[:, None]
Y = np.sin(X[:, 0])


@pytest.mark.slow
def test_module_whose_symmetry_is_found_and_forward_mode():
    guide = nsym.AutoSymmetrizedNormal(module)
    svi = SVI(module, guide, numpyro.optim.Adam(0.01), Trace_ELBO())
    run = [
        svi.run(
            jax.random.key(0), 5, X, Y, progress_bar=False, forward_mode_differentiation=forward
        )
        for forward in (True, False)
    ]
    assert guide.sym.order == 24 * 16
    assert {"net/Dense_0.kernel_auto_loc", "net/Dense_1.kernel_auto_scale"} <= set(run[0].params)
    np.testing.assert_allclose(run[0].losses, run[1].losses, rtol=1e-4)


def test_draws_as_an_arviz_object_and_aligned():
    """Medians of two bumps far apart: of q_sym alike, once aligned each unit its own."""

    def model():
        numpyro.sample("x", dist.Normal(0, 10).expand([3]).to_event(1))

    guide = nsym.AutoSymmetrizedNormal(model, nsym.Symmetry([nsym.Units("unit", 3, axes={"x": 0})]))
    SVI(model, guide, numpyro.optim.Adam(0.1), Trace_ELBO()).init(jax.random.key(0))
    params = {"x_auto_loc": jnp.array([-5.0, 0.0, 5.0]), "x_auto_scale": 0.5 * jnp.ones(3)}
    draws = guide.sample_posterior(jax.random.key(1), params, sample_shape=(4, 250))
    groups = {"posterior": {name: np.asarray(x) for name, x in draws.items()}}
    data = az.from_dict(groups) if az.__version__ >= "1" else az.from_dict(**groups)
    assert abs(data.posterior["x"].mean(("chain", "draw"))).max() < 1.0
    aligned = nsym.rebasin(data, guide.sym)
    assert type(aligned) is type(data)
    means = np.sort(aligned.posterior["x"].mean(("chain", "draw")).values)
    np.testing.assert_allclose(means, [-5, 0, 5], atol=0.1)
    np.testing.assert_allclose(aligned.posterior["x"].std(("chain", "draw")), 0.5, atol=0.1)
    component = guide.sample_component(jax.random.key(1), params, sample_shape=(4, 250))["x"]
    np.testing.assert_allclose(component.mean((0, 1)), [-5, 0, 5], atol=0.1)
