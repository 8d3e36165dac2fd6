"""Whatever is wrong with one of thousands of entries, it is among those that are looked
at closely.
"""

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from numpyro_sym.diagnostics.screen import EVENLY, normal_scores, worst_entries

RNG = np.random.default_rng(0)


def healthy():
    return RNG.normal(size=(4, 400, 3000))


def shifted(x):
    x[1] += 0.5


def narrow(x):
    x[1] *= 0.5


def slow(x):
    for i in range(1, 400):
        x[:, i] = 0.9 * x[:, i - 1] + np.sqrt(1 - 0.9**2) * x[:, i]


def slow_tail(x):
    x[:, 100:] = np.minimum(x[:, 100:], 1.4)
    x[:, :40] += 2


def drifting(x):
    x[2] += np.linspace(-0.5, 0.5, 400)


def frozen_chain(x):
    x[3] = x[3, 0]


@pytest.mark.parametrize("trouble", [shifted, narrow, slow, slow_tail, drifting, frozen_chain])
def test_one_of_thousands_is_found(trouble):
    x = healthy()
    trouble(x[..., 617])
    found = worst_entries(x)
    assert 617 in found
    assert len(found) < 250


def test_constants_and_ties_are_no_trouble():
    """They do not crowd out what is: ranks of equal numbers are in random order."""
    x = healthy()
    x[..., :2000] = 1.0
    x[..., 2000:2500] = RNG.integers(0, 2, x[..., 2000:2500].shape)
    shifted(x[..., 2711])
    found = worst_entries(x)
    assert 2711 in found
    assert np.isin(np.linspace(0, 2999, EVENLY).astype(int), found).all()


def test_normal_scores_are_those_of_ranks():
    x = RNG.normal(size=(3, 50))
    np.testing.assert_allclose(normal_scores(x), norm.ppf((rankdata(x, axis=-1) - 0.375) / 50.25))
