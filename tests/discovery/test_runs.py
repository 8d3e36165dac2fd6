"""How often a model is run in Python: once to read it, and more only where a symmetry
is claimed.
"""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.contrib.control_flow import scan
from numpyro.infer import NUTS, SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoNormal

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.discovery import SymmetryInUse

Y = jnp.linspace(0.0, 1.0, 4)


class Counted:
    """A model that counts its runs."""

    def __init__(self, model):
        self.model, self.runs = model, 0

    def __call__(self, *args):
        self.runs += 1
        return self.model(*args)


def observe(loc, y):
    numpyro.sample("y", dist.Normal(loc, 1).to_event(np.ndim(loc)), obs=y)


def no_latent_sites(y):
    observe(jnp.zeros(4), y)


def discrete(y):
    observe(numpyro.sample("z", dist.Bernoulli(0.5)) + jnp.zeros(4), y)


def no_symmetry(y):
    observe(
        numpyro.sample("m", dist.Normal(0, 1)) * numpyro.sample("s", dist.HalfNormal(1))
        + jnp.zeros(4),
        y,
    )


def data_of_its_own(y):
    """What is observed is known only once the model has run; so is a parameter."""
    observe(numpyro.sample("m", dist.Normal(0, 1)) + numpyro.param("p", np.ones(4)), np.asarray(Y))


def subsampled(y):
    m = numpyro.sample("m", dist.Normal(0, 1))
    with numpyro.plate("rows", 4, subsample_size=2) as rows:
        numpyro.sample("y", dist.Normal(m, 1), obs=y[rows])


def in_steps(y):
    """Sites in the steps of a scan, which are a program of their own: its inputs are known after a
    first run.
    """

    def step(x, y):
        x = numpyro.sample("x", dist.Normal(x, 1))
        return x, numpyro.sample("y", dist.Normal(x, 1), obs=y)

    scan(step, 0.0, y)


def in_a_compiled_part(y):
    observe(jax.jit(lambda y: numpyro.sample("m", dist.Normal(0, 1)) + 0 * y)(y), y)


def network(y):
    w, v = (numpyro.sample(name, dist.Normal(0, 1).expand([3]).to_event(1)) for name in "wv")
    observe(jnp.tanh(jnp.outer(jnp.arange(4.0), w)) @ v, y)


ONCE = [no_latent_sites, discrete, no_symmetry, data_of_its_own, subsampled]


def asked(model):
    """Runs of a model in which a symmetry is looked for, and what is found."""
    counted = Counted(model)
    sym = SymmetryInUse("FoldedNUTS", counted, None).of((Y,), {})
    return counted.runs, sym


@pytest.mark.parametrize("model", ONCE)
def test_one_run_where_there_is_nothing_to_do(model):
    runs, sym = asked(model)
    assert not sym.units
    assert runs == 1


@pytest.mark.parametrize("model", [in_steps, in_a_compiled_part])
def test_two_where_sites_stand_in_a_program_of_their_own(model):
    runs, sym = asked(model)
    assert not sym.units
    assert runs == 2


def test_two_more_where_a_symmetry_is_claimed():
    """Once to see that it runs alike, and once for points at its priors' scales."""
    runs, sym = asked(network)
    assert sym.order == 48
    assert runs == 3


@pytest.mark.parametrize("model", [no_symmetry, data_of_its_own])
def test_one_run_more_than_numpyros_where_there_is_nothing_to_do(model):
    def kernels(make):
        make(counted := Counted(model)).init(jax.random.key(0), 1, None, (Y,), {})
        return counted.runs

    def guides(make):
        counted = Counted(model)
        SVI(counted, make(counted), numpyro.optim.Adam(0.1), Trace_ELBO()).init(
            jax.random.key(0), Y
        )
        return counted.runs

    assert kernels(nsym.FoldedNUTS) == kernels(NUTS) + 1
    assert guides(nsym.AutoSymmetrizedNormal) == guides(AutoNormal) + 1


def test_a_model_that_changes_is_refused_once_something_is_claimed():
    shifts = iter(range(100))

    def changing(y):
        w = numpyro.sample("w", dist.Normal(0, 1).expand([3]).to_event(1))
        observe(w.sum() + next(shifts) * jnp.ones(4), y)

    _, sym = asked(changing)
    assert not sym.units
    assert "ran another program" in str(sym.explain())
    with pytest.raises(SymmetryError, match="ran another program"):
        nsym.find_symmetry(changing, Y)
