"""``diagnose``: the same figures as ArviZ gives, side by side; invariant ones are never repaired."""

import arviz as az
import numpy as np
import pytest
import runs
from planted import MIXTURE, arviz, planted, rhat, switched

import numpyro_sym as nsym
from numpyro_sym import SymmetryError, diagnose


@pytest.fixture
def data():
    return switched()


def test_figures_are_arvizs(data):
    found = diagnose(data, MIXTURE)
    raw, aligned = rhat(data.posterior), rhat(nsym.rebasin(data, MIXTURE).posterior)
    for name in MIXTURE.sites:
        assert found.sites["rhat_raw"].sel(site=name) == pytest.approx(raw[name])
        assert found.sites["rhat_aligned"].sel(site=name) == pytest.approx(aligned[name])
        assert found.sites["ess_aligned"].sel(site=name) > 5 * found.sites["ess_raw"].sel(site=name)
    assert list(found.invariant["function"].values) == ["log_likelihood"]
    total = az.convert_to_dataset({"total": data.log_likelihood["y"].values.sum(-1)})
    assert found.invariant["rhat"].item() == pytest.approx(float(az.rhat(total)["total"]))
    text = str(found)
    assert "R-hat raw" in text
    assert "log_likelihood (invariant)" in text


def test_another_functional_mode_stays_visible(two_modes):
    """Negative control: aligned and invariant figures both say no."""
    found = diagnose(az.from_numpyro(two_modes.mcmc, log_likelihood=True), runs.TANH_UNITS)
    assert found.sites["rhat_aligned"].min() > 1.5
    assert found.invariant["rhat"].min() > 1.5
    by_name = diagnose(az.from_numpyro(two_modes.mcmc, log_likelihood=False), runs.TANH_UNITS, invariant="f")
    assert by_name.invariant["rhat"].item() > 1.5


def test_label_switching_only(sine_nuts):
    found = diagnose(az.from_numpyro(sine_nuts.mcmc, log_likelihood=True), runs.TANH_UNITS)
    assert found.sites["rhat_raw"].min() > 1.5
    assert found.sites["rhat_aligned"].max() <= 1.05
    assert found.invariant["rhat"].max() <= 1.02


def test_what_is_invariant_is_chosen_in_order(data):
    draws = planted()
    stats = {"lp": np.random.default_rng(2).normal(size=(4, 250))}
    both = arviz({"posterior": draws, "sample_stats": stats})
    assert list(diagnose(both, MIXTURE).invariant["function"].values) == ["lp"]
    alone = arviz({"posterior": draws})
    assert list(diagnose(alone, MIXTURE).invariant["function"].values) == ["shift"]
    assert list(diagnose(data, MIXTURE, invariant=["shift"]).invariant["function"].values) == ["shift"]


REFUSED = {
    "no variable 'f'": {"invariant": "f"},
    "'mu' is moved by the symmetry": {"invariant": ["mu"]},
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message, data):
    with pytest.raises(SymmetryError, match=message):
        diagnose(data, MIXTURE, **REFUSED[message])


def test_nothing_invariant():
    draws = planted()
    del draws["shift"]
    with pytest.raises(SymmetryError, match="nothing invariant to compare with"):
        diagnose(arviz({"posterior": draws}), MIXTURE)
