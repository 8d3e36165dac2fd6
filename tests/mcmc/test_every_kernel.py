"""What each way of sampling must do, whichever it is: chain methods, both precisions, going on,
pickling.
"""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.infer import HMC, MCMC, NUTS

import numpyro_sym as nsym
from numpyro_sym import Units
from numpyro_sym.mcmc import Nearest, OrderedReparam, PermutationSampler, ReferenceSetReparam


def exchangeable():
    x = numpyro.sample("x", dist.Normal(0, 1).expand([3]).to_event(1))
    numpyro.deterministic("smallest", x[0])


SYM = nsym.Symmetry([Units("unit", 3, axes={"x": 0})])
KERNELS = {
    "draws": lambda: nsym.FoldedNUTS(exchangeable, SYM),
    "nearest": lambda: nsym.FoldedNUTS(
        exchangeable, SYM, keys=Nearest({"x": jnp.array([-1.0, 0.0, 1.0])})
    ),
    "transition": lambda: nsym.Folded(
        HMC(exchangeable, num_steps=3, trajectory_length=None), SYM, where="transition"
    ),
    "fold reparameterization": lambda: NUTS(
        handlers.reparam(exchangeable, config=ReferenceSetReparam(SYM))
    ),
    "ordered reparameterization": lambda: NUTS(
        handlers.reparam(exchangeable, config=OrderedReparam(SYM, keys={"unit": "x"}))
    ),
    "permuted": lambda: PermutationSampler(NUTS(exchangeable), SYM),
}


def run(name, **options):
    mcmc = MCMC(
        KERNELS[name](), **{"num_warmup": 100, "num_samples": 10, "progress_bar": False, **options}
    )
    mcmc.run(jax.random.key(0))
    return mcmc


def in_its_set(name, x):
    return bool((np.diff(x) < 0).any()) if name == "permuted" else bool((np.diff(x) >= 0).all())


@pytest.mark.slow
@pytest.mark.parametrize(
    "chain_method", ["vectorized", pytest.param("sequential", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    "name", [n if n == "draws" else pytest.param(n, marks=pytest.mark.slow) for n in KERNELS]
)
def test_chain_methods(name, chain_method):
    draws = run(name, num_chains=2, chain_method=chain_method).get_samples(group_by_chain=True)
    assert draws["x"].shape == (2, 10, 3)
    assert in_its_set(name, draws["x"])
    assert (draws["x"][0] != draws["x"][1]).any()
    np.testing.assert_array_equal(draws["smallest"], draws["x"][..., 0])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [n if n == "draws" else pytest.param(n, marks=pytest.mark.slow) for n in KERNELS]
)
def test_double_precision_pickling_and_going_on(name):
    with jax.enable_x64(True):
        mcmc = run(name)
        x = np.asarray(mcmc.get_samples()["x"])
        assert x.dtype == np.float64
        again = pickle.loads(pickle.dumps(mcmc))
        again.post_warmup_state = again.last_state
        again.run(jax.random.key(1))
        after = np.asarray(again.get_samples()["x"])
    assert in_its_set(name, after)
    assert not np.array_equal(x, after)
