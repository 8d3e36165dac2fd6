"""What every test may use. Chains are run once a session: compilation dominates."""

import jax
import jax.numpy as jnp
import pytest
import runs
from numpyro.infer import NUTS

import numpyro_sym as nsym


@pytest.fixture
def x64():
    """Double precision for the length of a test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def rng_key():
    return jax.random.key(0)


@pytest.fixture(scope="session")
def sine_nuts():
    """NUTS on the sine network: chains that differ by order and signs of the units."""
    return runs.sample(NUTS(runs.network), *runs.sine())


@pytest.fixture(scope="session")
def sine_folded():
    """The same chains through FoldedNUTS."""
    return runs.sample(nsym.FoldedNUTS(runs.network, runs.TANH_UNITS), *runs.sine())


@pytest.fixture(scope="session")
def two_modes():
    """Three chains in a good mode of the precise sine, the fourth in one that misses a bump."""
    good, bad = runs.a_good_and_a_bad_mode()
    start = {name: jnp.stack([good[name]] * 3 + [bad[name]]) for name in good}
    kernel = nsym.FoldedNUTS(runs.network, runs.TANH_UNITS, step_size=1e-3, max_tree_depth=8)
    return runs.sample(kernel, *runs.precise_sine(), noise=runs.PRECISE, init_params=start, num_warmup=200)
