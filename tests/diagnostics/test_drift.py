"""Disagreements too small for R-hat, against how often chance alone would show them."""

import numpy as np
import pytest
import xarray as xr
from posteriors import noise
from scipy.stats import norm

from numpyro_sym.diagnostics.drift import FALSE_ALARM, _contrasts, drifting
from numpyro_sym.diagnostics.rhat_ess import figures_of


def found(x):
    draws = xr.Dataset({"x": (("chain", "draw", "i")[: x.ndim], x)})
    return drifting(draws, figures_of(draws), 100 * len(x), int(np.prod(x.shape[2:])))


def test_contrasts_are_standard_normal():
    """Each trend, the trend of all, and how far each chain lies from the mean of all."""
    z = np.random.default_rng(0).normal(size=(20000, 3, 40))
    each = _contrasts(z)
    assert each.shape == (20000, 7)
    np.testing.assert_allclose((each**2).mean(0), 1, atol=0.05)
    assert _contrasts(z[:, :1]).shape == (20000, 1)


@pytest.mark.parametrize("memory", [0.0, 0.7])
def test_chance_is_not_reported(memory):
    rng = np.random.default_rng(0)
    assert sum(bool(found(noise(rng, 20, memory=memory))) for _ in range(25)) == 0
    assert norm.isf(FALSE_ALARM / 2 / 20 / 9) < 5  # and a limit within reach


DISAGREE = {
    "one chain drifts": lambda x, t: x + 0.7 * t * (np.arange(4) == 2)[:, None],
    "all chains drift": lambda x, t: x + 0.4 * t,
    "one chain lies apart": lambda x, t: x + 0.2 * (np.arange(4) == 1)[:, None],
}


@pytest.mark.parametrize("how", DISAGREE)
def test_what_r_hat_does_not_see(how):
    x = DISAGREE[how](noise(np.random.default_rng(1)), np.linspace(-0.5, 0.5, 1000))
    draws = xr.Dataset({"x": (("chain", "draw"), x)})
    assert figures_of(draws)["rhat"]["x"] < 1.01
    assert found(x)["x"] > 4


def test_too_few_effective_draws_are_left_out():
    slow = np.repeat(noise(np.random.default_rng(0), draws=20), 50, axis=1)
    assert found(slow) == {}
