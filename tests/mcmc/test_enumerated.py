"""Kernels on models whose discrete sites are summed out: NUTS does that by itself, and draws are
folded as ever.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from enumerated_zoo import ENUMERATED, Y
from numpyro.contrib.funsor import config_enumerate
from numpyro.infer import HMC, MCMC, NUTS, Predictive

import numpyro_sym as nsym
from numpyro_sym.mcmc import PermutationSampler, good_starts

CASE = ENUMERATED["mixture"]


def run(kernel, **options):
    mcmc = MCMC(kernel, num_warmup=20, num_samples=10, progress_bar=False, **options)
    mcmc.run(jax.random.key(0), jnp.asarray(Y), extra_fields=("num_steps",))
    return mcmc


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Some algorithms will automatically enumerate:FutureWarning")
def test_draws_are_those_of_the_sum_written_out(x64):
    """The same draws from the same key, as many leapfrogs as NUTS, and labels that go with the
    folded draws.
    """
    kernel = nsym.FoldedNUTS(CASE.model)
    ours = run(kernel)
    draws = ours.get_samples()
    for name, x in run(nsym.FoldedNUTS(CASE.by_hand)).get_samples().items():
        np.testing.assert_allclose(draws[name], x, atol=1e-5)
    plain = run(NUTS(CASE.model))
    np.testing.assert_array_equal(
        ours.get_extra_fields()["num_steps"], plain.get_extra_fields()["num_steps"]
    )
    sym = kernel.sym
    assert sym == nsym.find_symmetry(CASE.model, *CASE.args)
    assert sym.label_sites == ("z",)
    np.testing.assert_array_equal(kernel.section.settle(plain.get_samples())[1]["mu"], draws["mu"])
    labels = Predictive(config_enumerate(CASE.model), draws, infer_discrete=True)(
        jax.random.key(1), *CASE.args
    )["z"]
    assert labels.shape == (10, 5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Some algorithms will automatically enumerate:FutureWarning")
@pytest.mark.parametrize("make", [nsym.Folded, PermutationSampler])
def test_other_kernels_find_it_too(make):
    kernel = make(HMC(CASE.model, trajectory_length=1.0))
    draws = run(kernel).get_samples()
    assert [u.name for u in kernel.sym] == ["component"]
    assert draws["mu"].shape == (10, 3)
    assert np.isfinite(draws["mu"]).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Some algorithms will automatically enumerate:FutureWarning")
def test_chains_begin_in_good_starts():
    starts = good_starts(
        jax.random.key(0), CASE.model, jnp.asarray(Y), num_chains=2, num_tries=8, num_steps=50
    )
    assert {name: x.shape for name, x in starts.items()} == {
        "mu": (2, 3),
        "sigma": (2, 3),
        "weights": (2, 2),
    }
