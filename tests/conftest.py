"""What every test may use. Chains are run once a session: compilation dominates."""

import jax
import numpy as np
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
    """Three chains in good modes of the teacher's posterior, the fourth in a far worse one."""
    points, potentials = runs.modes_of_the_teacher()
    worse = int(np.argmin(np.abs(potentials - (potentials[0] + 120))))
    start = {name: x[np.array([0, 0, 0, worse])] for name, x in points.items()}
    kernel = nsym.FoldedNUTS(runs.network, runs.TANH_UNITS)
    return runs.sample(kernel, *runs.teacher(), init_params=start, **runs.TEACHER_MODEL)
