"""Draws that ArviZ refuses for their names, and draws that are no ArviZ object."""

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.infer import MCMC, NUTS

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.diagnostics import to_arviz

RENAMES = not az.__version__.startswith("0.")
NAME = "net.mu" if RENAMES else "net/mu"
SYM = nsym.mixture(2, {"net/mu": 0})
MU = np.random.default_rng(0).normal([-3.0, 3.0], 0.1, size=(4, 150, 2))
MU[2:] = MU[2:, :, ::-1]
DRAWS = {"net/mu": MU, "total": MU.sum(-1)}


def model(y):
    with numpyro.plate("net/components", 2):
        mu = numpyro.sample("net/mu", dist.Normal(0, 5))
    with numpyro.plate("rows", len(y)):
        numpyro.sample("net/y", dist.Normal(jnp.sum(mu**2), 1.0), obs=y)


@pytest.fixture(scope="module")
def mcmc():
    chains = {"num_chains": 4, "chain_method": "vectorized", "progress_bar": False}
    run = MCMC(NUTS(model), num_warmup=100, num_samples=60, **chains)
    run.run(jax.random.key(0), np.array([3.0, 4.0, 5.0], np.float32))
    return run


def test_names_are_changed_where_they_must_and_it_is_said():
    data = to_arviz(DRAWS)
    assert set(data.posterior.data_vars) == {NAME, "total"}
    if RENAMES:
        assert data.posterior.attrs["renamed"] == "net/mu -> net.mu"
    else:
        assert "renamed" not in data.posterior.attrs
    np.testing.assert_array_equal(data.posterior[NAME], MU)


def test_names_that_fit_stay():
    data = to_arviz({"mu": MU})
    assert set(data.posterior.data_vars) == {"mu"}
    assert "renamed" not in data.posterior.attrs


def test_an_arviz_object_is_returned_as_it_is():
    data = to_arviz(DRAWS)
    assert to_arviz(data) is data


def test_a_dict_of_draws_is_aligned():
    done = nsym.rebasin(DRAWS, SYM)
    expected = nsym.align({"net/mu": MU}, "mean", SYM, sample_ndim=2).sites["net/mu"]
    np.testing.assert_array_equal(done.posterior[NAME], expected)
    assert type(done) is type(to_arviz(DRAWS))
    point = nsym.rebasin(DRAWS, SYM, reference={"net/mu": np.array([3.0, -3.0])})
    assert point.posterior[NAME].values[..., 0].min() > 0
    again = nsym.rebasin(DRAWS, SYM, reference=point)
    np.testing.assert_array_equal(again.posterior[NAME], point.posterior[NAME])


def test_a_dict_of_draws_is_judged():
    found = nsym.diagnose(DRAWS, SYM, invariant="total")
    assert found.verdicts == ("label switching only",)
    assert NAME in found.sites["site"]


def test_a_run_is_judged_by_its_models_own_joint(mcmc):
    found = nsym.diagnose(mcmc, SYM)
    assert "log_joint" in found.invariant["function"]
    assert NAME in found.sites["site"]
    done = nsym.rebasin(mcmc, SYM, reference="first")
    assert set(done.posterior.data_vars) == {NAME}
    again = nsym.rebasin(mcmc, SYM, reference=mcmc)
    assert again.posterior[NAME].shape == (4, 60, 2)


def test_an_object_that_was_renamed_is_known_again(mcmc):
    again = nsym.rebasin(to_arviz(mcmc), SYM)
    expected = nsym.rebasin(mcmc, SYM)
    np.testing.assert_array_equal(again.posterior[NAME], expected.posterior[NAME])


def test_the_log_joint_is_that_of_the_model(mcmc):
    data = to_arviz(mcmc, log_joint=True)
    mu = np.asarray(mcmc.get_samples(group_by_chain=True)["net/mu"], float)[1, 3]
    y = np.array([3.0, 4.0, 5.0])
    expected = (
        dist.Normal(0, 5).log_prob(mu).sum() + dist.Normal((mu**2).sum(), 1).log_prob(y).sum()
    )
    np.testing.assert_allclose(data.sample_stats["log_joint"][1, 3], expected, rtol=1e-5)


REFUSED = {
    "no draws": ({"mu": np.zeros((4, 0, 2))}, "no draws"),
    "one dimension": ({"mu": np.zeros(3)}, r"\(chain, draw\)"),
    "uneven": ({"mu": np.zeros((4, 3)), "nu": np.zeros((4, 5))}, r"\(chain, draw\)"),
    "an MCMC that has not run": (MCMC(NUTS(model), num_warmup=1, num_samples=1), "It has not run"),
    "the class": (MCMC, "It has not run"),
    "none": ({}, "names no site"),
    "words": ({"mu": "mu"}, "'mu'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    data, told = REFUSED[case]
    for function in (
        lambda: to_arviz(data),
        lambda: nsym.rebasin(data, nsym.mixture(2, {"mu": 0})),
    ):
        with pytest.raises(SymmetryError, match=told):
            function()


@pytest.mark.skipif(not RENAMES, reason="ArviZ 0.x takes any name")
def test_names_that_would_be_one_are_refused():
    with pytest.raises(SymmetryError, match="are one"):
        to_arviz({"a/b": MU, "a.b": MU})
