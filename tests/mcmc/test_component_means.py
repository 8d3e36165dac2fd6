"""Means of folded draws are those of the same draws aligned by rebasin, or a finding says that
units are not clear.

Of the zoo's models those of each kind that have components to read, with data that tell these
apart; the zoo's own are a few random numbers. The factor model is the control: its factors can be
rotated, and have no means.
"""

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import runs
from numpyro.diagnostics import effective_sample_size
from numpyro.infer import MCMC
from zoo import ZOO

import numpyro_sym as nsym


def experts(x, y):
    """Two lines, and a gate that says which holds where."""
    gate = numpyro.sample("gate", dist.Normal(0, 3).expand([2]).to_event(1))
    slope, shift = (
        numpyro.sample(n, dist.Normal(0, 2).expand([2]).to_event(1)) for n in ("slope", "shift")
    )
    weights = jax.nn.softmax(x[:, None] * gate)
    parts = dist.Normal(x[:, None] * slope + shift, 0.2)
    numpyro.sample("y", dist.MixtureSameFamily(dist.Categorical(weights), parts).to_event(1), obs=y)


def data_of(name):
    rng = np.random.default_rng(0)
    if name == "mixture 1-D":
        return (np.concatenate([rng.normal(m, s, 50) for m, s in ((-5, 0.5), (0, 1), (5, 0.7))]),)
    if name == "hmm scan":
        return (np.repeat([-4.0, 0.0, 4.0, 0.0, -4.0, 4.0], 12) + rng.normal(size=72),)
    if name == "lda":
        return (
            np.stack(
                [
                    rng.choice(4, 80, p=p)
                    for p in ([0.45, 0.45, 0.05, 0.05], [0.05] * 2 + [0.45] * 2, [0.25] * 4)
                ]
            ),
        )
    if name == "latent classes":
        return (
            np.concatenate(
                [rng.choice(4, (40, 6), p=p) for p in ([0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.7])]
            ),
        )
    if name == "factor analysis":
        return ZOO[name].args
    x = np.sort(rng.uniform(-2, 2, 120))
    if name == "mixture of experts":
        return x, np.where(x < 0, 1 - x, 2 * x - 1) + 0.2 * rng.normal(size=120)
    x = rng.normal(size=(80, 5))
    return x, np.tanh(x @ np.diag([3.0, 2.0, 1.5, 1.0, 0])[:, :4]) @ np.array(
        [2.0, -1.5, 1.0, 3.0]
    ) + 0.3 * rng.normal(size=80)


@runs.optimized()
def folded(model, *args):
    kernel = nsym.FoldedNUTS(model)
    mcmc = MCMC(
        kernel,
        num_warmup=300,
        num_samples=250,
        num_chains=4,
        chain_method="vectorized",
        progress_bar=False,
    )
    mcmc.run(jax.random.key(1), *(jnp.asarray(x) for x in args), extra_fields=("potential_energy",))
    return mcmc, kernel.sym


def means(draws):
    return {site: np.asarray(x, float).mean((0, 1)) for site, x in draws.items()}


def apart(a, b, draws):
    """The largest distance of two means in Monte Carlo errors of the draws."""
    worst = 0.0
    for site, x in draws.items():
        x = np.asarray(x, float)
        error = x.std((0, 1)) / np.sqrt(effective_sample_size(x))
        worst = max(worst, float(np.max(np.abs(a[site] - b[site]) / error)))
    return worst


CLEAR = ("mixture 1-D", "hmm scan", "lda", "latent classes", "mixture of experts")


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CLEAR, "mlp tanh", "factor analysis"])
def test_means_are_those_of_rebasin_or_the_finding_says_they_are_none(name):
    model = experts if name == "mixture of experts" else ZOO[name].model
    mcmc, sym = folded(model, *data_of(name))
    data = az.from_numpyro(mcmc, log_likelihood=False)
    aligned = nsym.rebasin(data, sym).posterior
    draws = {site: aligned[site].values for site in sym.sites}
    ours = means({site: mcmc.get_samples(group_by_chain=True)[site] for site in sym.sites})
    # Which label is first is anyone's choice, the same for all draws.
    theirs = nsym.align(means(draws), ours, sym).sites
    found = nsym.diagnose(data, sym)
    said = any(
        line.startswith(("labels change within chains", "alignment ambiguous"))
        for line in found.verdicts
    )
    assert apart(ours, theirs, draws) < 3 or said
    assert not (name in CLEAR and said)
    assert said or name != "factor analysis"
