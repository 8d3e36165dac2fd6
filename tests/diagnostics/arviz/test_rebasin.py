"""ArviZ in, the same ArviZ type out: aligned, nothing lost, nothing changed."""

import copy
import json
import pickle

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import runs
import xarray as xr
from numpyro.infer import SVI, Trace_ELBO, init_to_value
from numpyro.infer.autoguide import AutoNormal
from planted import (
    MIXTURE,
    K,
    arviz,
    dataset,
    fingerprint,
    log_likelihood,
    planted,
    rebuilt,
    rhat,
    switched,
)

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.alignment import Whitened
from numpyro_sym.diagnostics import act_on_group, compact_posterior, elements_of


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
        np.testing.assert_array_equal(
            posterior["mu"].values[chain, draw], mu[chain, draw, list(best)]
        )
        np.testing.assert_array_equal(
            posterior["weights"].values[chain, draw], weights[chain, draw, list(best)]
        )


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
    told = new.attrs.pop("rebasin")
    assert '"reference": "mean"' in told
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
    out = nsym.rebasin(rebuilt(data, posterior), MIXTURE).posterior["mu"]
    assert out.dims == ("component", "draw", "chain")
    expected = nsym.rebasin(data, MIXTURE).posterior["mu"]
    np.testing.assert_array_equal(
        out.transpose("chain", "draw", "component").values, expected.values
    )


@pytest.mark.parametrize("reference", ["mean", "first", (2, 5), "point"])
def test_references(data, reference):
    if reference == "point":
        reference = {"mu": np.array([4.0, -4.0, 0.0]), "weights": np.array([0.2, 0.6, 0.2])}
    posterior = nsym.rebasin(data, MIXTURE, reference=reference).posterior
    assert max(rhat(posterior)[name] for name in MIXTURE.sites) < 1.01
    if isinstance(reference, dict):
        np.testing.assert_allclose(
            posterior["mu"].mean(("chain", "draw")), reference["mu"], atol=0.1
        )
    elif isinstance(reference, tuple):
        np.testing.assert_array_equal(
            posterior["mu"].values[reference], data.posterior["mu"].values[reference]
        )


def test_warmup_draws_are_aligned_to_the_same_reference():
    warm = arviz(
        {"posterior": planted(), "warmup_posterior": {k: v[:, :50] for k, v in planted().items()}}
    )
    out = nsym.rebasin(warm, MIXTURE)
    warmup, posterior = (
        dataset(out, group)["mu"].values for group in ("warmup_posterior", "posterior")
    )
    np.testing.assert_array_equal(warmup, posterior[:, :50])


def test_netcdf_round_trip(data, tmp_path):
    """What was done survives a file: attributes, elements, and the way back to the draws as
    sampled.
    """
    out = nsym.rebasin(data, MIXTURE, keep_elements=True)
    out.to_netcdf(tmp_path / "draws.nc", engine="h5netcdf")
    again = az.from_netcdf(tmp_path / "draws.nc", engine="h5netcdf")
    assert_undone(again, out, data)
    pickle.loads(pickle.dumps(out))


def test_zarr_round_trip(data, tmp_path):
    pytest.importorskip("zarr")
    if not isinstance(data, xr.DataTree):
        pytest.skip("ArviZ 0.x does not write the zarr that is installed")
    out = nsym.rebasin(data, MIXTURE, keep_elements=True)
    out.to_zarr(tmp_path / "draws.zarr", consolidated=False)
    assert_undone(
        xr.open_datatree(tmp_path / "draws.zarr", engine="zarr", consolidated=False), out, data
    )


def assert_undone(again, out, data):
    xr.testing.assert_equal(dataset(again)["mu"], dataset(out)["mu"])
    told = json.loads(dataset(again).attrs["rebasin"])
    assert told["units"] == {"component": "3 permutation: mu[0] weights[0]"}
    assert told["mean_distance"] < told["mean_distance_before"] / 5
    back = act_on_group(again, MIXTURE, MIXTURE.inverse(elements_of(again, MIXTURE)))
    for name in MIXTURE.sites:
        np.testing.assert_array_equal(dataset(back)[name].values, dataset(data)[name].values)


@pytest.mark.parametrize("keep", [False, True])
def test_input_is_not_mutated(data, keep):
    before = fingerprint(data)
    out = nsym.rebasin(data, MIXTURE, keep_elements=keep)
    nsym.diagnose(data, MIXTURE)
    act_on_group(data, MIXTURE, elements_of(out, MIXTURE)) if keep else None
    assert fingerprint(data) == before
    dataset(data)["mu"].values[0, 0, 0] += 1  # the hash sees one number
    assert fingerprint(data) != before


def test_elements_move_another_group_and_other_sites(data):
    """A deterministic site that names single units follows by the same elements under another
    symmetry.
    """
    posterior = dataset(data).assign(order=dataset(data)["mu"] ** 2)
    both = nsym.rebasin(rebuilt(data, posterior), MIXTURE, keep_elements=True)
    np.testing.assert_array_equal(
        dataset(both)["order"].values, posterior["order"].values
    )  # left alone
    out = act_on_group(both, nsym.mixture(K, {"order": 0}), elements_of(both, MIXTURE))
    np.testing.assert_allclose(dataset(out)["order"].values, dataset(both)["mu"].values ** 2)


def test_elements_of_an_earlier_alignment_are_not_kept(data):
    twice = nsym.rebasin(nsym.rebasin(data, MIXTURE, keep_elements=True), MIXTURE)
    with pytest.raises(SymmetryError, match="no elements of group 'posterior' are kept"):
        elements_of(twice, MIXTURE)


def test_warmup_keeps_its_own_elements_and_the_prior_stays():
    draws = planted()
    groups = {
        "posterior": draws,
        "warmup_posterior": {k: v[:, :50] for k, v in draws.items()},
        "prior": draws,
    }
    out = nsym.rebasin(arviz(groups), MIXTURE, keep_elements=True)
    np.testing.assert_array_equal(dataset(out, "prior")["mu"].values, draws["mu"])
    g, warm = (
        elements_of(out, MIXTURE, group)["component"] for group in ("posterior", "warmup_posterior")
    )
    np.testing.assert_array_equal(warm.permutation, g.permutation[:, :50])


def test_several_runs_come_to_one_labeling(data):
    """A second run with other labels, brought to the first; alone it would choose its own."""
    first = nsym.rebasin(data, MIXTURE)
    other = arviz(
        {
            "posterior": {
                name: x[:, :, [1, 2, 0]]
                for name, x in planted(switched=False).items()
                if x.ndim > 2
            }
        }
    )
    alone, together = (nsym.rebasin(other, MIXTURE, reference=r) for r in ("mean", first))
    means = [dataset(d)["mu"].mean(("chain", "draw")).values for d in (first, alone, together)]
    assert np.abs(means[0] - means[1]).max() > 3
    np.testing.assert_allclose(means[2], means[0], atol=0.05)
    assert (
        json.loads(dataset(together).attrs["rebasin"])["reference"] == "mean of another posterior"
    )


@pytest.mark.slow
def test_draws_of_a_guide():
    """Two SVI runs whose guides sit in two labelings, each one chain, come to one."""
    y = jnp.concatenate([jnp.linspace(-4.5, -3.5, 20), jnp.linspace(3.5, 4.5, 20)])

    def model():
        mu = numpyro.sample("mu", dist.Normal(0, 5).expand([2]).to_event(1))
        mixture = dist.MixtureSameFamily(
            dist.Categorical(probs=jnp.ones(2) / 2), dist.Normal(mu, 1.0)
        )
        numpyro.sample("y", mixture.expand([40]).to_event(1), obs=y)

    sym = nsym.mixture(2, {"mu": 0})
    guides = []
    for start in ([-3.0, 3.0], [3.0, -3.0]):
        guide = AutoNormal(model, init_loc_fn=init_to_value(values={"mu": jnp.array(start)}))
        svi = SVI(model, guide, numpyro.optim.Adam(0.05), Trace_ELBO())
        result = svi.run(jax.random.key(0), 100, progress_bar=False)
        if hasattr(az, "from_numpyro_svi"):
            guides.append(az.from_numpyro_svi(svi, svi_result=result, num_samples=200))
        else:
            draws = guide.sample_posterior(jax.random.key(1), result.params, sample_shape=(1, 200))
            guides.append(arviz({"posterior": {"mu": np.asarray(draws["mu"])}}))
    first = nsym.rebasin(guides[0], sym)
    second = nsym.rebasin(guides[1], sym, reference=first)
    assert type(second) is type(guides[1])
    means = [dataset(d)["mu"].values.reshape(-1, 2).mean(0) for d in (guides[1], first, second)]
    np.testing.assert_allclose(means[0], -means[1], atol=0.5)
    np.testing.assert_allclose(means[2], means[1], atol=0.5)
    assert dict(dataset(second).sizes) == dict(dataset(guides[1]).sizes)
    kept = nsym.rebasin(guides[1], sym, reference=first, keep_elements=True)
    back = act_on_group(kept, sym, sym.inverse(elements_of(kept, sym)))
    xr.testing.assert_equal(dataset(back)["mu"], dataset(guides[1])["mu"])
    np.testing.assert_allclose(
        np.sort(compact_posterior(second).loc["mu"]), np.sort(means[2]), rtol=1e-5
    )
    if "sample" in dataset(second).sizes:
        with pytest.raises(SymmetryError, match="independent draws of a guide"):
            nsym.diagnose(second, sym)


def test_metric_of_the_engine(data):
    scale = {"mu": np.full(K, 100.0), "weights": np.full(K, 0.01)}
    point = {"mu": np.array([4.0, -4.0, 0.0]), "weights": np.array([0.6, 0.2, 0.2])}
    by_weights = nsym.rebasin(data, MIXTURE, reference=point, metric=Whitened(scale))
    # Locations hardly count: the heavy component comes first, wherever it lies.
    assert (dataset(by_weights)["weights"].values.argmax(-1) == 0).mean() > 0.99
    assert "Whitened" in dataset(by_weights).attrs["rebasin"]


@pytest.mark.slow
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
    "got a dict with keys .mu.. Every array begins with": lambda: nsym.rebasin({"mu": 1}, MIXTURE),
    "with a posterior group": lambda: nsym.rebasin(arviz({"prior": planted()}), MIXTURE),
    "zero draws": lambda: nsym.rebasin(_without_draws(), MIXTURE),
    "site 'sigma', which the draws do not hold": lambda: nsym.rebasin(
        arviz({"posterior": planted()}), nsym.mixture(K, {"sigma": 0})
    ),
    "'mu' .*expected 4": lambda: nsym.rebasin(
        arviz({"posterior": planted()}), nsym.mixture(4, {"mu": 0})
    ),
    "'mu'.*NaN": lambda: nsym.rebasin(broken(np.nan), MIXTURE),
    "'mu'.*inf": lambda: nsym.rebasin(broken(np.inf), MIXTURE),
    "no elements of group 'posterior'": lambda: elements_of(switched(), MIXTURE),
    "elements kept are not of Units 'other'": lambda: elements_of(
        nsym.rebasin(switched(), MIXTURE, keep_elements=True),
        nsym.mixture(K, {"mu": 0}, name="other"),
    ),
    "there is no group 'prior'": lambda: act_on_group(switched(), MIXTURE, {}, "prior"),
    "no draw of sample shape": lambda: nsym.rebasin(
        arviz({"posterior": planted()}), MIXTURE, reference=(9, 9)
    ),
}


def _without_draws():
    data = arviz({"posterior": planted()})
    return rebuilt(data, dataset(data).isel(draw=slice(0)))


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()
