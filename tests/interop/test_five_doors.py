"""One network and one mixture through every door: the same elements for the same draws."""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.distributions import constraints

import numpyro_sym as nsym
from numpyro_sym import LogDensity
from numpyro_sym.diagnostics import elements_of, stack_scalars, to_arviz, unstack_scalars
from numpyro_sym.interop import pymc_log_density, stacked_sites

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(9, 2)), RNG.normal(size=9)


class Network:
    """Three tanh units."""

    position: ClassVar = {"w1": np.full((2, 3), 0.1), "w2": np.full(3, 0.2)}
    supports = None

    @staticmethod
    def numpyro_model():
        w1 = numpyro.sample("w1", dist.Normal().expand([2, 3]).to_event(2))
        w2 = numpyro.sample("w2", dist.Normal().expand([3]).to_event(1))
        numpyro.sample("y", dist.Normal(jnp.tanh(X @ w1) @ w2, 0.5).to_event(1), obs=Y)

    @staticmethod
    def log_density(at):
        f = jnp.tanh(X @ at["w1"]) @ at["w2"]
        prior = -0.5 * sum(jnp.sum(w**2) for w in at.values())
        return prior - 0.5 * jnp.sum(((f - Y) / 0.5) ** 2)

    @staticmethod
    def pymc_model(pm):
        with pm.Model() as model:
            w1 = pm.Normal("w1", 0, 1, shape=(2, 3))
            w2 = pm.Normal("w2", 0, 1, shape=3)
            pm.Normal("y", pm.math.dot(pm.math.tanh(pm.math.dot(X, w1)), w2), 0.5, observed=Y)
        return model

    @staticmethod
    def draw(rng):
        return {"w1": rng.normal(size=(2, 3)), "w2": rng.normal(size=3)}


class Mixture:
    """Three components."""

    position: ClassVar = {"mu": np.arange(3.0), "sigma": np.ones(3), "w": np.full(3, 1 / 3)}
    supports: ClassVar = {"sigma": constraints.positive, "w": constraints.simplex}

    @staticmethod
    def numpyro_model():
        mu = numpyro.sample("mu", dist.Normal(0, 5).expand([3]).to_event(1))
        sigma = numpyro.sample("sigma", dist.HalfNormal(1).expand([3]).to_event(1))
        w = numpyro.sample("w", dist.Dirichlet(jnp.ones(3)))
        each = dist.MixtureSameFamily(dist.Categorical(w), dist.Normal(mu, sigma))
        numpyro.sample("y", each.expand([9]).to_event(1), obs=Y)

    @staticmethod
    def log_density(at):
        each = dist.Normal(at["mu"], at["sigma"]).log_prob(Y[:, None]) + jnp.log(at["w"])
        fit = jax.scipy.special.logsumexp(each, axis=1).sum()
        return fit - jnp.sum(at["mu"] ** 2) / 50 - 0.5 * jnp.sum(at["sigma"] ** 2)

    @staticmethod
    def pymc_model(pm):
        with pm.Model() as model:
            mu = pm.Normal("mu", 0, 5, shape=3)
            sigma = pm.HalfNormal("sigma", 1, shape=3)
            w = pm.Dirichlet("w", np.ones(3))
            pm.NormalMixture("y", w=w, mu=mu, sigma=sigma, observed=Y)
        return model

    @staticmethod
    def draw(rng):
        return {
            "mu": rng.normal(size=3),
            "sigma": np.exp(rng.normal(size=3)),
            "w": rng.dirichlet([1] * 3),
        }


def of_numpyro(case):
    return nsym.find_symmetry(case.numpyro_model)


def of_log_density(case):
    return nsym.find_symmetry(LogDensity(case.log_density, case.position, supports=case.supports))


def of_pymc(case):
    pm = pytest.importorskip("pymc", reason="PyMC is not installed (extra interop)")
    return nsym.find_symmetry(pymc_log_density(case.pymc_model(pm)))


CASES = pytest.mark.parametrize("case", [Network, Mixture])
SLOW = pytest.param(of_pymc, marks=pytest.mark.slow)  # where the continuous integration has it


@CASES
@pytest.mark.parametrize("door", [of_log_density, SLOW])
def test_the_same_symmetry(case, door):
    sites = set(case.position)
    found, expected = door(case), of_numpyro(case)
    assert [u.n for u in found] == [3]
    assert set(found.sites) == sites
    # The same elements move the same arrays alike: names and the order of sites may differ.
    g = {found.units[0].name: expected.sample(jax.random.key(0))[expected.units[0].name]}
    moved = found.act(g, case.position)
    again = expected.act({expected.units[0].name: g[found.units[0].name]}, case.position)
    for site in sites:
        np.testing.assert_array_equal(moved[site], again[site])
    assert found.order == expected.order


def states(case):
    """Positions as the loop of a sampler stacks them, ``(chain, draw, *site)``."""
    rng = np.random.default_rng(1)
    chains = [stacked_sites([case.draw(rng) for _ in range(10)]) for _ in range(4)]
    return stacked_sites(chains)


def as_scalars(draws):
    """The columns of a file: ``w1[1,2]``, ..."""
    columns = {}
    for name, x in draws.items():
        for where in np.ndindex(*x.shape[2:]):
            place = ",".join(str(k + 1) for k in where)
            columns[f"{name}[{place}]"] = x[(..., *where)]
    return columns


@CASES
def test_the_same_elements(case):
    draws, sym = states(case), of_numpyro(case)
    reference = case.draw(np.random.default_rng(2))
    (name,) = [u.name for u in sym]
    expected = nsym.align(draws, reference, sym).elements[name]
    assert len(np.unique(expected.permutation.reshape(-1, 3), axis=0)) == 6
    of_density = of_log_density(case)
    found = {}
    # A log density's draws; those of a loop of BlackJAX, arrays of JAX; ArviZ's; a file's.
    found["log density"] = nsym.align(draws, reference, of_density).elements
    in_jax = {site: jnp.asarray(x) for site, x in draws.items()}
    found["loop"] = nsym.align(in_jax, reference, of_density).elements
    data = nsym.rebasin(to_arviz(draws), sym, reference=reference, keep_elements=True)
    found["file of arrays"] = elements_of(data, sym)
    file = to_arviz(as_scalars(draws))
    done = nsym.rebasin(stack_scalars(file), sym, reference=reference, keep_elements=True)
    found["file of scalars"] = elements_of(done, sym)
    for door, elements in found.items():
        (element,) = elements.values()
        np.testing.assert_array_equal(element.permutation, expected.permutation, err_msg=door)
        np.testing.assert_array_equal(element.factor, expected.factor, err_msg=door)
    back = unstack_scalars(done, like=file)
    assert list(back.posterior.data_vars) == list(file.posterior.data_vars)
