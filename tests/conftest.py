"""What every test may use. Chains are run once a session: compilation dominates."""

import gc
from pathlib import Path

import jax
import pytest
import runs
from hypothesis import settings
from numpyro.infer import NUTS

import numpyro_sym as nsym
import numpyro_sym.discovery.program

# The same examples on every machine, however loaded: a failure is one of the code.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")

# A rule that fails costs a user what it would have proved, in silence; here it is a fault.
numpyro_sym.discovery.program.RAISE_FAULTS = True

# What only type checkers read: it names types of one generation of ArviZ.
collect_ignore = ["types"]

# Tests compile much and run little of it: what is quickly compiled is soonest done. Long runs:
# ``runs.optimized``.
jax.config.update("jax_disable_most_optimizations", True)


def pytest_configure(config):
    """What any worker has compiled is not compiled again, in this run or the next: pytest's cache
    keeps it.
    """
    if hasattr(config, "cache"):
        jax.config.update("jax_compilation_cache_dir", str(config.cache.mkdir("jax")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


MAPPED = Path("/proc/self/maps")  # of Linux: a line for each piece of memory, programs among them


@pytest.fixture(autouse=True, scope="module")
def room_for_programs():
    """A process may map 65,530 pieces of memory and aborts beyond: programs of earlier files go."""
    yield
    if MAPPED.exists() and len(MAPPED.read_text().splitlines()) > 30_000:
        jax.clear_caches()
        gc.collect()


@pytest.fixture
def x64():
    """Double precision for the length of a test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def rng_key():
    return jax.random.key(0)


# Chains start in known modes with a small step, so that which modes they visit does not hang on
# the version of JAX.
SMALL_STEP = 1e-3


@pytest.fixture(scope="session")
def sine_starts():
    return runs.four_copies_of_the_best_mode()


@pytest.fixture(scope="session")
def sine_nuts(sine_starts):
    """NUTS on the sine network: chains that differ by order and signs of the units."""
    return runs.sample(
        NUTS(runs.network, step_size=SMALL_STEP), *runs.sine(), init_params=sine_starts
    )


@pytest.fixture(scope="session")
def sine_folded(sine_starts):
    """The same chains through FoldedNUTS."""
    kernel = nsym.FoldedNUTS(runs.network, runs.TANH_UNITS, step_size=SMALL_STEP)
    return runs.sample(kernel, *runs.sine(), init_params=sine_starts)


@pytest.fixture(scope="session")
def two_modes():
    """Three chains in a good mode of the precise sine, the fourth in one that misses a bump."""
    kernel = nsym.FoldedNUTS(runs.network, runs.TANH_UNITS, step_size=SMALL_STEP, max_tree_depth=8)
    start = runs.three_good_starts_and_a_bad_one()
    return runs.sample(
        kernel,
        *runs.precise_sine(),
        noise=runs.PRECISE,
        init_params=start,
        num_warmup=200,
        num_samples=300,
    )
