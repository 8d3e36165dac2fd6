"""``diagnose``: the same figures as ArviZ gives, side by side; invariant ones are never repaired."""

import arviz as az
import numpy as np
import pytest
import runs
import xarray as xr
from planted import MIXTURE, arviz, chains, dataset, planted, rebuilt, rhat, switched

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
        for figure in ("ess_bulk", "ess_tail"):
            assert found.sites[f"{figure}_aligned"].sel(site=name) > 5 * found.sites[f"{figure}_raw"].sel(site=name)
        assert found.sites["mcse_aligned"].sel(site=name) < found.sites["mcse_raw"].sel(site=name) / 5
        assert found.entries[name].sel(labels="raw").max() == pytest.approx(raw[name])
        for how, draws in (("raw", data), ("aligned", nsym.rebasin(data, MIXTURE))):
            one = dataset(draws)[[name]]
            for figure, expected in {
                "ess_bulk": az.ess(one, method="bulk").min(),
                "ess_tail": az.ess(one, method="tail").min(),
                "mcse": az.mcse(one, method="mean").max(),
            }.items():
                assert found.sites[f"{figure}_{how}"].sel(site=name) == pytest.approx(float(expected[name]))
    assert set(found.invariant["function"].values) == {"log_likelihood", "each y"}
    ten = data.log_likelihood["y"].values
    by_hand = az.rhat(az.convert_to_dataset({"log_likelihood": ten.sum(-1), "each y": ten}))
    for name in ("log_likelihood", "each y"):
        expected = float(by_hand[name].max())
        assert found.invariant["rhat"].sel(function=name) == pytest.approx(expected)
    assert found.alignment["doubt"].max() < 1e-6
    text = str(found)
    assert text.startswith("label switching only\n")
    assert "R-hat raw" in text
    assert "log_likelihood (invariant)" in text
    assert repr(found) == text


def test_worst_comes_first():
    data = chains(mode_of={3: 1.5}, switch=False)
    posterior = dataset(data).copy()
    posterior["weights"] = posterior["mu"].copy(data=np.random.default_rng(0).dirichlet([60, 20, 20], (4, 400)))
    sym = nsym.mixture(3, {"weights": 0, "mu": 0})
    found = diagnose(rebuilt(data, posterior), sym, invariant=["f"])
    assert list(found.sites["site"].values) == ["mu", "weights"]
    assert (np.diff(found.sites["rhat_aligned"]) <= 0).all()


def test_as_one_xarray_object(data, tmp_path):
    found = diagnose(data, MIXTURE)
    tree = found.to_datatree()
    assert tree.attrs["verdicts"] == list(found.verdicts)
    xr.testing.assert_identical(tree["sites"].to_dataset(), found.sites)
    tree.to_netcdf(tmp_path / "diagnosis.nc", engine="h5netcdf")


def test_another_functional_mode_stays_visible(two_modes):
    """Negative control: aligned and invariant figures both say no."""
    found = diagnose(az.from_numpyro(two_modes.mcmc, log_likelihood=True), runs.TANH_UNITS)
    assert found.sites["rhat_aligned"].min() > 1.5
    assert found.invariant["rhat"].max() > 1.5
    assert found.verdicts[0] == "another functional mode in chain 3"
    assert not found.fine
    by_name = diagnose(az.from_numpyro(two_modes.mcmc, log_likelihood=False), runs.TANH_UNITS, invariant="f")
    assert by_name.invariant["rhat"].item() > 1.5


def test_label_switching_only(sine_nuts):
    found = diagnose(az.from_numpyro(sine_nuts.mcmc, log_likelihood=True), runs.TANH_UNITS)
    assert found.sites["rhat_raw"].min() > 1.5
    assert found.sites["rhat_aligned"].max() <= 1.05
    assert found.invariant["rhat"].max() <= 1.02
    assert "label switching only" in found.verdicts


def test_what_is_invariant_is_chosen_in_order(data):
    draws = planted()
    stats = {"lp": np.random.default_rng(2).normal(size=(4, 250))}
    both = arviz({"posterior": draws, "sample_stats": stats})
    assert list(diagnose(both, MIXTURE).invariant["function"].values) == ["lp"]
    alone = arviz({"posterior": draws})
    assert list(diagnose(alone, MIXTURE).invariant["function"].values) == ["shift"]
    assert list(diagnose(data, MIXTURE, invariant=["shift"]).invariant["function"].values) == ["shift"]


def test_many_observations_are_thinned_evenly():
    draws = planted()
    each = np.random.default_rng(0).normal(size=(4, 250, 30, 20))
    found = diagnose(arviz({"posterior": draws, "log_likelihood": {"y": each}}), MIXTURE)
    some = np.unique(np.linspace(0, 599, 100).astype(int))
    expected = az.rhat(az.convert_to_dataset({"y": each.reshape(4, 250, 600)[..., some]}))["y"].max()
    assert found.invariant["rhat"].sel(function="each y") == pytest.approx(float(expected))


def test_an_observation_that_is_a_whole_series_has_no_parts():
    """A hidden Markov model has one log likelihood a draw; a second observed site has its own observations."""
    rng = np.random.default_rng(0)
    alone, parts = rng.normal(size=(4, 250)), rng.normal(size=(4, 250, 7))
    found = diagnose(arviz({"posterior": planted(), "log_likelihood": {"series": alone, "y": parts}}), MIXTURE)
    assert set(found.invariant["function"].values) == {"log_likelihood", "each y"}
    total = az.rhat(az.convert_to_dataset({"total": alone + parts.sum(-1)}))["total"]
    assert found.invariant["rhat"].sel(function="log_likelihood") == pytest.approx(float(total))


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
