"""ArviZ in, the same ArviZ type out: aligned, nothing lost, nothing changed."""

import copy
import pickle

import arviz as az
import numpy as np
import pytest
import runs
import xarray as xr
from planted import MIXTURE, K, arviz, dataset, log_likelihood, planted, rhat, switched

import numpyro_sym as nsym
from numpyro_sym import SymmetryError


@pytest.fixture
def data():
    return switched()


def test_planted_label_switching_is_undone(data):
    before, after = rhat(data.posterior), rhat(nsym.rebasin(data, MIXTURE).posterior)
    for name in MIXTURE.sites:
        assert before[name] > 1.5
        assert after[name] < 1.01
    assert after["shift"] == before["shift"]


def test_log_likelihood_is_unchanged(data):
    posterior = nsym.rebasin(data, MIXTURE).posterior
    again = log_likelihood(posterior["mu"].values, posterior["weights"].values)
    np.testing.assert_allclose(again, data.log_likelihood["y"].values, atol=1e-6)


def test_each_draw_is_moved_as_a_whole(data):
    """Means and weights of a draw move by one permutation, brute force over all six agrees."""
    from itertools import permutations

    posterior = nsym.rebasin(data, MIXTURE, reference=(1, 7)).posterior
    mu, weights = (data.posterior[name].values for name in ("mu", "weights"))
    for chain, draw in ((0, 0), (0, 200), (2, 3), (3, 249)):
        best = min(
            permutations(range(K)),
            key=lambda p: (
                ((mu[chain, draw, list(p)] - mu[1, 7]) ** 2).sum()
                + ((weights[chain, draw, list(p)] - weights[1, 7]) ** 2).sum()
            ),
        )
        np.testing.assert_array_equal(posterior["mu"].values[chain, draw], mu[chain, draw, list(best)])
        np.testing.assert_array_equal(posterior["weights"].values[chain, draw], weights[chain, draw, list(best)])


def test_everything_else_is_kept_and_the_input_untouched(data):
    untouched = copy.deepcopy(data)
    out = nsym.rebasin(data, MIXTURE)
    assert type(out) is type(data)
    groups = list(data.children) if isinstance(data, xr.DataTree) else data.groups()
    assert (list(out.children) if isinstance(out, xr.DataTree) else out.groups()) == groups
    for group in groups:
        xr.testing.assert_identical(dataset(data, group), dataset(untouched, group))
        if group != "posterior":
            xr.testing.assert_identical(dataset(out, group), dataset(data, group))
    old, new = dataset(data), dataset(out)
    assert new.attrs == old.attrs
    assert list(new.data_vars) == list(old.data_vars)
    assert list(new.coords) == list(old.coords)
    for name in old.variables:
        assert new[name].dims == old[name].dims
        assert new[name].dtype == old[name].dtype
        assert new[name].attrs == old[name].attrs
    xr.testing.assert_identical(new["shift"], old["shift"])
    xr.testing.assert_identical(new["component"], old["component"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype):
    out = nsym.rebasin(arviz({"posterior": planted(dtype)}), MIXTURE)
    assert out.posterior["mu"].dtype == dtype


def test_dims_in_another_order_come_back_in_that_order(data):
    posterior = dataset(data).copy()
    posterior["mu"] = posterior["mu"].transpose("component", "draw", "chain")
    other = (
        xr.DataTree.from_dict({"posterior": posterior})
        if isinstance(data, xr.DataTree)
        else az.InferenceData(posterior=posterior)
    )
    out = nsym.rebasin(other, MIXTURE).posterior["mu"]
    assert out.dims == ("component", "draw", "chain")
    expected = nsym.rebasin(data, MIXTURE).posterior["mu"]
    np.testing.assert_array_equal(out.transpose("chain", "draw", "component").values, expected.values)


@pytest.mark.parametrize("reference", ["mean", "first", (2, 5), "point"])
def test_references(data, reference):
    if reference == "point":
        reference = {"mu": np.array([4.0, -4.0, 0.0]), "weights": np.array([0.2, 0.6, 0.2])}
    posterior = nsym.rebasin(data, MIXTURE, reference=reference).posterior
    assert max(rhat(posterior)[name] for name in MIXTURE.sites) < 1.01
    if isinstance(reference, dict):
        np.testing.assert_allclose(posterior["mu"].mean(("chain", "draw")), reference["mu"], atol=0.1)
    elif isinstance(reference, tuple):
        np.testing.assert_array_equal(posterior["mu"].values[reference], data.posterior["mu"].values[reference])


def test_warmup_draws_are_aligned_to_the_same_reference():
    warm = arviz({"posterior": planted(), "warmup_posterior": {k: v[:, :50] for k, v in planted().items()}})
    out = nsym.rebasin(warm, MIXTURE)
    warmup, posterior = (dataset(out, group)["mu"].values for group in ("warmup_posterior", "posterior"))
    np.testing.assert_array_equal(warmup, posterior[:, :50])


def test_netcdf_round_trip(data, tmp_path):
    out = nsym.rebasin(data, MIXTURE)
    out.to_netcdf(tmp_path / "draws.nc", engine="h5netcdf")
    again = (
        az.from_netcdf(tmp_path / "draws.nc")
        if not isinstance(out, xr.DataTree)
        else xr.open_datatree(tmp_path / "draws.nc")
    )
    xr.testing.assert_equal(dataset(again)["mu"], dataset(out)["mu"])
    again.close()
    pickle.loads(pickle.dumps(out))


def test_networks_positive_and_negative_control(sine_nuts, two_modes):
    weights = runs.TANH_UNITS.sites
    one_mode = arviz({"posterior": {name: sine_nuts.draws[name] for name in weights}})
    assert max(rhat(nsym.rebasin(one_mode, runs.TANH_UNITS).posterior).values()) <= 1.05
    other_mode = arviz({"posterior": {name: two_modes.draws[name] for name in weights}})
    assert min(rhat(nsym.rebasin(other_mode, runs.TANH_UNITS).posterior).values()) > 1.5


def broken(value):
    draws = planted()
    draws["mu"][1, 3, 0] = value
    return arviz({"posterior": draws})


REFUSED = {
    "with a posterior group; got a dict": lambda: nsym.rebasin({"mu": 1}, MIXTURE),
    "with a posterior group": lambda: nsym.rebasin(arviz({"prior": planted()}), MIXTURE),
    "zero draws": lambda: nsym.rebasin(_without_draws(), MIXTURE),
    "site 'sigma', which the draws do not hold": lambda: nsym.rebasin(
        arviz({"posterior": planted()}), nsym.mixture(K, {"sigma": 0})
    ),
    "'mu' .*expected 4": lambda: nsym.rebasin(arviz({"posterior": planted()}), nsym.mixture(4, {"mu": 0})),
    "'mu'.*NaN": lambda: nsym.rebasin(broken(np.nan), MIXTURE),
    "'mu'.*inf": lambda: nsym.rebasin(broken(np.inf), MIXTURE),
    "no draw of sample shape": lambda: nsym.rebasin(arviz({"posterior": planted()}), MIXTURE, reference=(9, 9)),
}


def _without_draws():
    posterior = dataset(arviz({"posterior": planted()})).isel(draw=slice(0))
    return (
        xr.DataTree.from_dict({"posterior": posterior})
        if az.__version__ >= "1"
        else az.InferenceData(posterior=posterior)
    )


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()
