"""With nothing set, the fold separates the units where the posterior is; where it does not,
diagnose says so.
"""

from itertools import permutations, product

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import runs
from numpyro.infer import MCMC

import numpyro_sym as nsym
from numpyro_sym import Element
from numpyro_sym.alignment.sections.separation import separating_section

# The section alone --------------------------------------------------------------------------------

COMPONENTS = nsym.mixture(3, {"w": 0, "mu": 0})
HIDDEN = nsym.mlp(["w1", "w2"], [3], kind="signed")


def near(rng, **sites):
    """Draws near one point."""
    return {
        name: np.asarray(x) + 0.1 * rng.normal(size=(64, *np.shape(x))) for name, x in sites.items()
    }


def planted(name):
    """A symmetry, draws near one mode, and what the units should be settled by."""
    rng = np.random.default_rng(0)
    weights = np.full(3, 1 / 3)
    alike_in_each = [[2.0, 2.0, -2.0], [2.0, -2.0, -2.0]]
    return {
        "means": (COMPONENTS, near(rng, w=weights, mu=[-4.0, 0.0, 4.0]), "sorted by mu[0]"),
        "weights": (COMPONENTS, near(rng, w=[-4.0, 0.0, 4.0], mu=weights), "sorted by w[0]"),
        "no number alone": (
            HIDDEN,
            near(rng, w1=alike_in_each, w2=np.ones((3, 1))),
            "nearest to a mode on w1, w2",
        ),
    }[name]


def all_elements(units):
    for order in permutations(range(units.n)):
        for signs in product([-1.0, 1.0] if units.kind == "signed" else [1.0], repeat=units.n):
            yield {units.name: Element(np.array(order), np.array(signs))}


@pytest.mark.parametrize("name", ["means", "weights", "no number alone"])
def test_units_are_settled_by_what_tells_them_apart_and_alike_on_an_orbit(name):
    sym, draws, expected = planted(name)
    section = separating_section(sym, draws)
    assert expected in str(section)
    settle = jax.jit(lambda point: section.settle(point)[1])
    for i in range(3):
        point = {site: x[i] for site, x in draws.items()}
        folded = settle(point)
        for g in all_elements(sym.units[0]):
            moved = settle(sym.act(g, point))
            for site in folded:
                np.testing.assert_allclose(moved[site], folded[site], rtol=1e-5, atol=1e-6)


# The chain ----------------------------------------------------------------------------------------


def mixture(y):
    w = numpyro.sample("w", dist.Dirichlet(jnp.ones(2)))
    mu = numpyro.sample("mu", dist.Normal(0, 5).expand([2]).to_event(1))
    with numpyro.plate("n", len(y)):
        numpyro.sample(
            "y", dist.MixtureSameFamily(dist.Categorical(w), dist.Normal(mu, 1.0)), obs=y
        )


def two_clusters(seed):
    """A hundred points around -2 and a hundred around 2, so that the posterior's means lie there,
    too.
    """
    noise = np.random.default_rng(seed).normal(size=(2, 100))
    noise = (noise - noise.mean(1, keepdims=True)) / noise.std(1, keepdims=True)
    return (np.array([[-2.0], [2.0]]) + noise).astype(np.float32).ravel()


@runs.optimized()
def chains(kernel, seed):
    mcmc = MCMC(
        kernel,
        num_warmup=200,
        num_samples=300,
        num_chains=4,
        chain_method="vectorized",
        progress_bar=False,
    )
    mcmc.run(jax.random.key(seed), two_clusters(seed), extra_fields=("potential_energy",))
    return mcmc.get_samples()["mu"].mean(0), nsym.diagnose(
        az.from_numpyro(mcmc, log_likelihood=False), kernel.sym
    )


def switching(found):
    return any(line.startswith("labels change within chains") for line in found.verdicts)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_components_of_a_mixture_with_nothing_set(seed):
    means, found = chains(nsym.FoldedNUTS(mixture), seed)
    np.testing.assert_allclose(means, [-2, 2], atol=0.2)
    assert not switching(found)


@pytest.mark.slow
def test_a_key_that_does_not_separate_them_is_told_whatever_r_hat_is():
    """The negative control: weights that are alike sort nothing."""
    kernel = nsym.FoldedNUTS(mixture, nsym.mixture(2, {"w": 0, "mu": 0}), keys={"component": "w"})
    means, found = chains(kernel, 1)
    assert np.abs(means).max() < 1
    assert found.sites["rhat_raw"].max() < 1.01
    assert switching(found)
