"""Discrete sites that cannot be summed out are refused, with what to do."""

import sys

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
import pytest

from numpyro_sym import SymmetryError, find_symmetry


def with_label(fn, **infer):
    """Two means, and a discrete site that chooses."""

    def model(y):
        mu = numpyro.sample("mu", dist.Normal(0, 1).expand([2]).to_event(1))
        z = numpyro.sample("z", fn, infer=infer)
        numpyro.sample("y", dist.Normal(mu.sum() * z.sum(), 1.0), obs=y)

    return model


def without_a_plate(y):
    mu = numpyro.sample("mu", dist.Normal(0, 1).expand([2]))
    numpyro.sample("y", dist.Normal(mu[numpyro.sample("z", dist.Bernoulli(0.5))], 1.0), obs=y)


def too_many_states(y):
    chosen = [numpyro.sample(f"z{i}", dist.Categorical(jnp.ones(100) / 100)) for i in range(5)]
    mu = numpyro.sample("mu", dist.Normal(0, 1).expand([100]).to_event(1))
    numpyro.sample("y", dist.Normal(sum(mu[z] for z in chosen), 1.0), obs=y)


def too_many_sites(y):
    chosen = [numpyro.sample(f"z{i}", dist.Bernoulli(0.5)) for i in range(30)]
    mu = numpyro.sample("mu", dist.Normal(0, 1).expand([2]).to_event(1))
    numpyro.sample("y", dist.Normal(sum(mu[z] for z in chosen), 1.0), obs=y)


REFUSED = {
    "a Poisson has no finite list of values": with_label(dist.Poisson(3.0)),
    "a MultinomialProbs has no finite list": with_label(dist.Multinomial(3, jnp.ones(2) / 2)),
    "values of its DiscreteUniform are not 0 to 2": with_label(dist.DiscreteUniform(1, 3)),
    "an array of shape": with_label(dist.Bernoulli(jnp.ones(2) / 2).to_event(1)),
    "marked infer={'enumerate': 'sequential'}": with_label(
        dist.Bernoulli(0.5), enumerate="sequential"
    ),
    r"Site 'mu' has 2 entries along dimension -1 of its batch and no plate": without_a_plate,
    "has an array of 10,000,000,000 terms": too_many_states,
    "too many to sum out at once": too_many_sites,
    r"latent sites are all discrete \(k\)": lambda y: numpyro.sample("k", dist.Bernoulli(0.5)),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_summed_out_is_refused(message):
    with pytest.raises(SymmetryError, match=message):
        find_symmetry(REFUSED[message], 1.0)


def test_without_funsor_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "funsor", None)
    with pytest.raises(SymmetryError, match=r"'z' are summed out by funsor.*numpyro_sym\[enum\]"):
        find_symmetry(with_label(dist.Bernoulli(0.5)), 1.0)


def test_notes_at_a_site_are_not_written_into_the_models_own():
    """NumPyro writes into the dictionary that a site was given; several sites may share one."""
    infer = {"enumerate": "parallel"}

    def model(y):
        mu = numpyro.sample("mu", dist.Normal(0, 1).expand([2]).to_event(1))
        first, second = (numpyro.sample(name, dist.Bernoulli(0.5), infer=infer) for name in "uv")
        numpyro.sample("y", dist.Normal(mu[first] + mu[second], 1.0), obs=y)

    assert [u.sites for u in find_symmetry(model, 1.0)] == [("mu",)]
    assert infer == {"enumerate": "parallel"}
