"""ArviZ's figures, and what stands where it has none."""

import arviz as az
import numpy as np
import xarray as xr

from numpyro_sym.diagnostics.rhat_ess import FIGURES, figures_of, worst

RNG = np.random.default_rng(0)


def draws(**arrays):
    return xr.Dataset({n: (("chain", "draw", "k")[: np.ndim(x)], x) for n, x in arrays.items()})


def test_what_is_not_known_is_not_well():
    """Constants say nothing; a stuck chain, and NaN that ArviZ has no R-hat for, are the worst
    there is.
    """
    broken = RNG.normal(size=(4, 50))
    broken[1, 3] = np.nan
    stuck = np.repeat(np.arange(4.0)[:, None], 50, 1)
    found = figures_of(
        draws(still=np.ones((4, 50)), stuck=stuck, broken=broken, good=RNG.normal(size=(4, 50)))
    )
    assert all(np.isnan(found[figure]["still"]) for figure in FIGURES)
    assert found["rhat"]["stuck"] == np.inf
    assert found["rhat"]["broken"] == np.inf
    assert found["rhat"]["good"] < 1.1


def test_the_worst_entry_speaks_for_a_site():
    x = RNG.normal(size=(4, 200, 3))
    x[2, :, 1] += 3
    x[..., 2] = 1.0
    found = figures_of(draws(x=x, constant=np.ones((4, 200))))
    table = worst(found, "site")
    assert table["rhat"].sel(site="x") == found["rhat"]["x"][1] == az.rhat(draws(x=x[..., 1]))["x"]
    assert table["ess_bulk"].sel(site="x") == found["ess_bulk"]["x"][1]
    assert np.isnan(table["rhat"].sel(site="constant"))


def test_one_chain_is_judged_by_its_halves():
    x = np.cumsum(RNG.normal(size=(1, 101)), 1)
    halves = np.stack([x[0, :50], x[0, 50:100]])
    assert figures_of(draws(x=x))["rhat"]["x"] == az.rhat(draws(x=halves))["x"]


def test_too_few_draws_have_no_figures():
    found = figures_of(draws(x=RNG.normal(size=(2, 3, 5))))
    assert all(
        np.isnan(found[figure]["x"]).all() and found[figure]["x"].shape == (5,)
        for figure in FIGURES
    )
