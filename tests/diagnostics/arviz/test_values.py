"""Draws of labels in ArviZ objects: relabeled with the parameters, in every group, file and
precision.
"""

import numpy as np
import pytest
import xarray as xr
from planted import arviz, dataset

import numpyro_sym as nsym
from numpyro_sym import Axis, Symmetry, SymmetryError, Units
from numpyro_sym.diagnostics import act_on_group, elements_of, rebasin_to_zarr

MIXTURE = nsym.mixture(3, {"mu": 0, "weights": 0}, assignments="z")
ROWS = 12


def healthy(dtype=np.int32, draws=150):
    """Four chains of another sampler's draws: every row's label says by which component it was
    made.
    """
    rng = np.random.default_rng(0)
    return {
        "mu": rng.normal([-4.0, 0.0, 4.0], 0.2, (4, draws, 3)),
        "weights": rng.dirichlet([60.0, 20.0, 20.0], (4, draws)),
        "shift": rng.normal(size=(4, draws)),
        "z": rng.choice(3, p=[0.6, 0.2, 0.2], size=(4, draws, ROWS)).astype(dtype),
    }


def switched(dtype=np.int32, draws=150):
    """The same, each chain with names of its own, and one half of a chain with others again."""
    made = healthy(dtype, draws)
    orders = np.empty((4, draws, 3), int)
    orders[:] = np.array([[0, 1, 2], [2, 0, 1], [1, 0, 2], [2, 1, 0]])[:, None]
    orders[0, draws // 2 :] = [1, 2, 0]
    g = {"component": nsym.Element(orders, np.ones(orders.shape))}
    return MIXTURE.act(g, made), MIXTURE.moved_labels(g, {"z": made["z"]}, sample_ndim=2)["z"]


def idata(dtype=np.int32):
    posterior, z = switched(dtype)
    made = arviz(
        {
            "posterior": posterior,
            "posterior_predictive": {"z": z},
            "sample_stats": {"lp": np.random.default_rng(1).normal(size=(4, 150))},
        },
        coords={"row": [f"r{i}" for i in range(ROWS)]},
        dims={"z": ["row"]},
    )
    made.posterior["z"].attrs["what"] = "component of each row"
    return made


def as_made(z, data):
    """Whether labels are those that were planted, up to one order of all components."""
    at = data.posterior["mu"].mean(("chain", "draw")).values
    order = np.argsort(at)
    return np.argsort(order)[np.asarray(z)]


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64])
def test_labels_of_another_sampler_are_relabeled(dtype):
    data = idata(dtype)
    out = nsym.rebasin(data, MIXTURE)
    new, old = dataset(out), dataset(data)
    np.testing.assert_array_equal(as_made(new["z"].values, out), healthy(dtype)["z"])
    assert not np.array_equal(old["z"].values, new["z"].values)
    assert (new["z"].dtype, new["z"].dims, new["z"].attrs) == (dtype, old["z"].dims, old["z"].attrs)
    assert list(new["row"].values) == list(old["row"].values)
    np.testing.assert_array_equal(new["shift"], old["shift"])
    xr.testing.assert_identical(
        dataset(out, "posterior_predictive"), dataset(data, "posterior_predictive")
    )
    assert "labels z" in new.attrs["rebasin"]


def test_without_the_labels_named_they_no_longer_fit():
    """Negative control: a symmetry that does not name them leaves them behind."""
    data = idata()
    out = nsym.rebasin(data, MIXTURE.without_values())
    assert not np.array_equal(as_made(dataset(out)["z"].values, out), healthy()["z"])


def test_elements_that_are_kept_move_labels_elsewhere():
    data = idata()
    out = nsym.rebasin(data, MIXTURE, keep_elements=True)
    g = elements_of(out, MIXTURE)
    moved = act_on_group(out, MIXTURE, g, "posterior_predictive")
    np.testing.assert_array_equal(moved.posterior_predictive["z"].values, out.posterior["z"].values)
    assert moved.posterior_predictive["z"].dtype == np.int32
    alone = nsym.mixture(3, {}, assignments="z")
    again = act_on_group(out, alone, g, "posterior_predictive")
    np.testing.assert_array_equal(again.posterior_predictive["z"].values, out.posterior["z"].values)
    back = act_on_group(out, MIXTURE, MIXTURE.inverse(g))
    for site in ("mu", "weights", "z"):
        np.testing.assert_array_equal(back.posterior[site].values, data.posterior[site].values)
    with pytest.raises(SymmetryError, match="site 'mu', which the draws do not hold"):
        act_on_group(out, MIXTURE.without_values(), g, "posterior_predictive")


def test_draws_without_labels_are_aligned_all_the_same():
    data = idata()
    bare = arviz({"posterior": {n: x.values for n, x in dataset(data).items() if n != "z"}})
    out, full = nsym.rebasin(bare, MIXTURE), nsym.rebasin(data, MIXTURE)
    np.testing.assert_array_equal(out.posterior["mu"].values, full.posterior["mu"].values)


def test_subjects_have_labels_of_their_own():
    rng = np.random.default_rng(0)
    mu = rng.normal(np.arange(6.0).reshape(2, 3), 0.05, (4, 60, 2, 3))
    z = rng.integers(3, size=(4, 60, 5, 2)).astype(np.int16)
    own = Units("component", 3, batch=2, axes={"mu": Axis(1, batch=0)}, values={"z": Axis(batch=1)})
    sym = Symmetry([own])
    permutation = rng.permuted(np.tile(np.arange(3), (4, 60, 2, 1)), axis=-1)
    planted = sym.act(
        {"component": nsym.Element(permutation, np.ones(permutation.shape))}, {"mu": mu, "z": z}
    )
    out = nsym.rebasin(arviz({"posterior": planted}), sym, reference=(0, 0))
    first = {"component": nsym.Element(permutation[:1, :1], np.ones((1, 1, 2, 3)))}
    expected = sym.act(
        {
            "component": nsym.Element(
                *(np.broadcast_to(x, (4, 60, 2, 3)) for x in first["component"])
            )
        },
        {
            "mu": mu,
            "z": z,
        },
    )
    for site, x in expected.items():
        np.testing.assert_array_equal(out.posterior[site].values, x)
    assert out.posterior["z"].dtype == np.int16


# Files -----------------------------------------------------------------------------------------


@pytest.fixture
def tree():
    data = idata(np.int8)
    groups = {
        name: dataset(data, name) for name in ("posterior", "posterior_predictive", "sample_stats")
    }
    groups["warmup_posterior"] = groups["posterior"].isel(draw=slice(0, 40))
    return xr.DataTree.from_dict(
        {name: x.chunk({"chain": 2, "draw": 50}) for name, x in groups.items()}
    )


def test_lazy_draws(tree):
    out = nsym.rebasin(tree, MIXTURE, reference=(1, 7))
    assert out["posterior"]["z"].chunks is not None
    expected = nsym.rebasin(tree.load(), MIXTURE, reference=(1, 7))
    for group in ("posterior", "warmup_posterior"):
        xr.testing.assert_allclose(
            out[group].to_dataset(), expected[group].to_dataset(), rtol=1e-12
        )
        assert out[group]["z"].dtype == np.int8


def test_netcdf_in_and_out(tree, tmp_path):
    tree.to_netcdf(tmp_path / "raw.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "raw.nc", engine="h5netcdf", chunks={}) as raw:
        done = nsym.rebasin(raw.load(), MIXTURE, reference=(1, 7), keep_elements=True)
        done.to_netcdf(tmp_path / "aligned.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "aligned.nc", engine="h5netcdf") as aligned:
        expected = nsym.rebasin(tree.load(), MIXTURE, reference=(1, 7))
        assert aligned["posterior"]["z"].dtype == np.int8
        np.testing.assert_array_equal(
            aligned["posterior"]["z"].values, expected["posterior"]["z"].values
        )
        moved = act_on_group(
            aligned, MIXTURE, elements_of(aligned, MIXTURE), "posterior_predictive"
        )
        np.testing.assert_array_equal(
            moved["posterior_predictive"]["z"].values, expected["posterior"]["z"].values
        )


def test_zarr_in_and_out(tree, tmp_path):
    out = rebasin_to_zarr(tree, tmp_path / "store", MIXTURE, reference=(1, 7), progress_bar=False)
    with pytest.raises(SymmetryError, match="was begun with another symmetry"):
        rebasin_to_zarr(
            tree, tmp_path / "store", MIXTURE.without_values(), reference=(1, 7), progress_bar=False
        )
    expected = nsym.rebasin(tree.load(), MIXTURE, reference=(1, 7))
    for group in ("posterior", "warmup_posterior"):
        assert out[group]["z"].dtype == np.int8
        np.testing.assert_array_equal(out[group]["z"].values, expected[group]["z"].values)
