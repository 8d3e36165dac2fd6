"""``diagnose``: the same figures as ArviZ gives, side by side; invariant ones are never
repaired.
"""

import arviz as az
import numpy as np
import pytest
import runs
import xarray as xr
from planted import MIXTURE, arviz, chains, dataset, planted, rebuilt, rhat, switched

import numpyro_sym as nsym
from numpyro_sym import SymmetryError, diagnose
from numpyro_sym.diagnostics.arviz.groups import with_groups


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
            assert found.sites[f"{figure}_aligned"].sel(site=name) > 5 * found.sites[
                f"{figure}_raw"
            ].sel(site=name)
        assert (
            found.sites["mcse_aligned"].sel(site=name) < found.sites["mcse_raw"].sel(site=name) / 5
        )
        assert found.entries[name].sel(labels="raw").max() == pytest.approx(raw[name])
        for how, draws in (("raw", data), ("aligned", nsym.rebasin(data, MIXTURE))):
            one = dataset(draws)[[name]]
            for figure, expected in {
                "ess_bulk": az.ess(one, method="bulk").min(),
                "ess_tail": az.ess(one, method="tail").min(),
                "mcse": az.mcse(one, method="mean").max(),
            }.items():
                assert found.sites[f"{figure}_{how}"].sel(site=name) == pytest.approx(
                    float(expected[name])
                )
    assert set(found.invariant["function"].values) == {"log_likelihood", "each y", "lp"}
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
    posterior["weights"] = posterior["mu"].copy(
        data=np.random.default_rng(0).dirichlet([60, 20, 20], (4, 400))
    )
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


@pytest.mark.slow
def test_another_functional_mode_stays_visible(two_modes):
    """Negative control: aligned and invariant figures both say no."""
    found = diagnose(az.from_numpyro(two_modes.mcmc, log_likelihood=True), runs.TANH_UNITS)
    assert found.sites["rhat_aligned"].min() > 1.5
    assert found.invariant["rhat"].max() > 1.5
    assert found.verdicts[0] == "another functional mode in chain 3"
    assert not found.fine
    by_name = diagnose(
        az.from_numpyro(two_modes.mcmc, log_likelihood=False), runs.TANH_UNITS, invariant="f"
    )
    assert by_name.invariant["rhat"].item() > 1.5


def test_label_switching_only(sine_nuts):
    data = az.from_numpyro(sine_nuts.mcmc, log_likelihood=True)
    found = diagnose(data, runs.TANH_UNITS)
    weights = found.sites.sel(site=list(runs.TANH_UNITS.sites))
    assert weights["rhat_raw"].min() > 1.5
    assert weights["rhat_aligned"].max() <= 1.05
    assert found.invariant["rhat"].max() <= 1.02
    # A variable that names one unit means nothing as long as labels differ, and is named.
    assert found.verdicts[0] == "label switching"
    assert "first_unit" in next(line for line in found.verdicts if "outside the symmetry" in line)
    without = with_groups(
        data, {"posterior": dataset(data).drop_vars("first_unit"), "sample_stats": None}
    )
    found = diagnose(without, runs.TANH_UNITS)
    assert found.verdicts[0].startswith("label switching")
    assert not any("outside" in line for line in found.verdicts)


def functions(data, **options):
    return set(diagnose(data, MIXTURE, **options).invariant["function"].values.tolist())


def test_what_is_invariant_is_chosen_in_order(data):
    draws = planted()
    stats = {"lp": np.random.default_rng(2).normal(size=(4, 250))}
    assert functions(arviz({"posterior": draws, "sample_stats": stats})) == {"lp"}
    assert functions(arviz({"posterior": draws})) == {"shift"}
    everything = {"log_likelihood", "each y", "lp"}
    assert functions(data) == everything
    assert functions(data, invariant=["shift"]) == {"shift", *everything}


def test_what_may_name_units_is_no_invariant_function():
    """Integers, auxiliary sites, an axis as long as units are many: none shows a mode; and what
    would is told.
    """
    draws = planted()
    shift = draws.pop("shift")
    z = np.broadcast_to(np.arange(4)[:, None, None], (4, 250, 10))
    names = {"z": z, "shift_decentered": shift, "mu_of": draws["mu"] ** 3, "shift_base": shift}
    with pytest.raises(
        SymmetryError, match=r'log_likelihood=True.*extra_fields=\("potential_energy",\)'
    ):
        diagnose(arviz({"posterior": draws | names}), MIXTURE)
    found = diagnose(arviz({"posterior": draws | names | {"shift": shift}}), MIXTURE)
    assert set(found.invariant["function"].values.tolist()) == {"shift"}
    assert not any("mode" in line for line in found.verdicts)


def test_variables_outside_the_symmetry_have_raw_rows(data):
    found = diagnose(data, MIXTURE)
    row = found.sites.sel(site="shift")
    assert row["rhat_raw"] == pytest.approx(rhat(data.posterior)["shift"])
    assert all(
        np.isnan(row[f"{figure}_aligned"]) for figure in ("rhat", "ess_bulk", "ess_tail", "mcse")
    )
    (line,) = [line for line in str(found).splitlines() if line.startswith("shift")]
    assert "nan" not in line


def test_labels_that_change_within_chains_are_told_whatever_r_hat_is():
    """Every draw under labels of its own: raw R-hat is 1.00, and each mean an average
    over labels.
    """
    rng = np.random.default_rng(0)
    mu = rng.permuted(rng.normal([-3.0, 3.0], 0.1, (4, 1000, 2)), axis=-1)
    data = arviz({"posterior": {"mu": mu, "total": mu.sum(-1)}})
    found = diagnose(data, nsym.mixture(2, {"mu": 0}), invariant="total")
    assert found.sites["rhat_raw"].max() < 1.01
    assert found.verdicts[0] == "label switching only"
    assert found.verdicts[1].endswith("means of single units are averages over labels: rebasin")
    assert found.fine


def test_a_group_of_other_chains_is_told_by_their_names(data):
    """As many chains, but not the same: the posterior lost the last, the log likelihood
    the first.
    """
    some = {
        "posterior": dataset(data).sel(chain=[0, 1, 2]),
        "log_likelihood": dataset(data, "log_likelihood").sel(chain=[1, 2, 3]),
        "sample_stats": dataset(data, "sample_stats").sel(chain=[0, 1, 2]),
    }
    found = diagnose(with_groups(data, some), MIXTURE)
    assert "another run: log_likelihood has other chains than the posterior" in found.verdicts
    assert set(found.invariant["function"].values.tolist()) == {"lp"}
    assert not found.fine


def test_the_order_of_dimensions_says_nothing(data):
    """Also where a chain disagrees, so that every finding is asked for."""
    for broken in (False, True):
        groups = {
            name: dataset(data, name).copy()
            for name in ("posterior", "sample_stats", "log_likelihood")
        }
        groups["posterior"]["twice"] = (
            ("chain", "draw", "k"),
            np.random.default_rng(3).normal(size=(4, 250, 3)),
        )
        groups["posterior"]["twice"][1] += 2 * broken
        turned = {name: x.transpose(..., "draw", "chain") for name, x in groups.items()}
        found, again = (diagnose(with_groups(data, g), MIXTURE) for g in (groups, turned))
        assert again.verdicts == found.verdicts
        assert found.fine is not broken
        xr.testing.assert_allclose(again.sites, found.sites)
        xr.testing.assert_allclose(again.alignment["doubt"], found.alignment["doubt"])


def test_draws_of_a_symmetric_site_that_are_no_numbers_are_refused(data):
    broken = dataset(data).copy(deep=True)
    broken["mu"][1, 3, 0] = np.nan
    with pytest.raises(SymmetryError, match=r"'mu'.*NaN"):
        diagnose(rebuilt(data, broken), MIXTURE)


def test_every_observation_is_looked_at():
    """Two of 600 are planted between those that are evenly spaced: the figure shown is the worst of
    all.
    """
    draws = planted()
    each = np.random.default_rng(0).normal(size=(4, 250, 30, 20))
    each[2, :, 13, 7] += 0.7
    found = diagnose(arviz({"posterior": draws, "log_likelihood": {"y": each}}), MIXTURE)
    expected = az.rhat(az.convert_to_dataset({"y": each.reshape(4, 250, 600)}))["y"].max()
    assert found.invariant["rhat"].sel(function="each y") == pytest.approx(float(expected))


def test_an_observation_that_is_a_whole_series_has_no_parts():
    """A hidden Markov model has one log likelihood a draw; a second observed site has its own
    observations.
    """
    rng = np.random.default_rng(0)
    alone, parts = rng.normal(size=(4, 250)), rng.normal(size=(4, 250, 7))
    found = diagnose(
        arviz({"posterior": planted(), "log_likelihood": {"series": alone, "y": parts}}), MIXTURE
    )
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
