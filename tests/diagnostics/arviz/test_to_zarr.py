"""Posteriors on disk: lazily in and out, and nothing lost when a run is interrupted."""

import numpy as np
import pytest
import xarray as xr
from planted import MIXTURE, dataset, planted, switched

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.diagnostics import rebasin_to_zarr
from numpyro_sym.diagnostics.arviz import to_zarr as module

SITES = list(MIXTURE.sites)


@pytest.fixture
def tree():
    """Posterior, warm-up and other groups, as a DataTree in chunks of chains and draws."""
    data = switched()
    groups = {name: dataset(data, name) for name in ("posterior", "sample_stats", "observed_data")}
    groups["warmup_posterior"] = groups["posterior"].isel(draw=slice(0, 60))
    chunks = {"chain": 2, "draw": 100}
    return xr.DataTree.from_dict(
        {name: x.chunk(chunks) if "draw" in x.sizes else x for name, x in groups.items()}
    )


def _equal(found, expected):
    for name in expected.children:
        a, b = found[name].to_dataset().load(), expected[name].to_dataset().load()
        xr.testing.assert_identical(a[list(b.data_vars)], b)


@pytest.mark.parametrize("reference", [(1, 7), "first", "mean"])
def test_lazy_draws_come_back_lazy_and_aligned(tree, reference):
    out = nsym.rebasin(tree, MIXTURE, reference=reference)
    for group in ("posterior", "warmup_posterior"):
        assert all(out[group][site].chunks is not None for site in SITES)
    expected = nsym.rebasin(tree.load(), MIXTURE, reference=reference)
    for group in expected.children:
        xr.testing.assert_allclose(
            out[group].to_dataset(), expected[group].to_dataset(), rtol=1e-12
        )


def test_netcdf_in_and_out(tree, tmp_path):
    tree.to_netcdf(tmp_path / "raw.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "raw.nc", engine="h5netcdf", chunks={}) as raw:
        nsym.rebasin(raw, MIXTURE, reference=(1, 7)).to_netcdf(
            tmp_path / "aligned.nc", engine="h5netcdf"
        )
    with xr.open_datatree(tmp_path / "aligned.nc", engine="h5netcdf") as aligned:
        _equal(aligned, nsym.rebasin(tree, MIXTURE, reference=(1, 7)))


def test_zarr_in_and_out(tree, tmp_path):
    raw = rebasin_to_zarr(tree, tmp_path / "raw", MIXTURE, reference=(1, 7), progress_bar=False)
    _equal(raw, nsym.rebasin(tree, MIXTURE, reference=(1, 7)))
    again = rebasin_to_zarr(raw, tmp_path / "again", MIXTURE, reference=(1, 7), progress_bar=False)
    _equal(again, nsym.rebasin(tree, MIXTURE, reference=(1, 7)))


def test_an_interrupted_run_is_taken_up_where_it_stopped(tree, tmp_path, monkeypatch):
    import dask

    calls = []

    def interrupted(block, point, sym, **options):
        calls.append(block.sizes["draw"])
        if len(calls) == 4:
            raise KeyboardInterrupt
        return align_dataset(block, point, sym, **options)

    align_dataset = module.align_dataset
    store = tmp_path / "store"
    expected = nsym.rebasin(tree, MIXTURE)
    # The first alignment is of the reference.
    monkeypatch.setattr(module, "align_dataset", interrupted)
    with dask.config.set(scheduler="synchronous"), pytest.raises(KeyboardInterrupt):
        rebasin_to_zarr(tree, store, MIXTURE, progress_bar=False)
    written = xr.open_zarr(store, group="rebasin_written", consolidated=False)
    done = {name: written[name].values.any(1) for name in ("posterior", "warmup_posterior")}
    assert int(done["posterior"].sum() + done["warmup_posterior"].sum()) == 2
    # What is written is right, what is not is empty.
    half = xr.open_zarr(store, group="posterior", consolidated=False)["mu"].load()
    right = (half == expected["posterior/mu"].load()).all(("component",))
    sizes = [
        200,
        200,
        100,
        200,
        200,
        100,
    ]  # of the posterior's blocks; dask chooses which come first
    assert int(right.sum()) == int((done["posterior"] * sizes).sum())
    calls[:] = [0] * 4
    out = rebasin_to_zarr(tree, store, MIXTURE, progress_bar=False)
    # 2 x 3 blocks of draws and 2 x 1 of warm-up, without the two written.
    assert len(calls) - 4 == 6
    for group in ("posterior", "warmup_posterior"):
        xr.testing.assert_allclose(
            out[group].to_dataset(), expected[group].to_dataset(), rtol=1e-12
        )
    calls[:] = [0] * 4
    rebasin_to_zarr(tree, store, MIXTURE, progress_bar=False)
    assert len(calls) == 4


def test_draws_in_memory_go_in_blocks_too(tmp_path):
    data = switched()
    out = rebasin_to_zarr(data, tmp_path / "store", MIXTURE, reference="first", progress_bar=False)
    assert out["posterior/mu"].data.chunksize == (1, 250, 3)
    xr.testing.assert_allclose(
        out["posterior"].to_dataset()[SITES],
        dataset(nsym.rebasin(data, MIXTURE, reference="first"))[SITES],
    )


def test_chunks_need_not_be_even(tree, tmp_path):
    uneven = tree["posterior"].to_dataset().chunk({"chain": (1, 3), "draw": (80, 100, 70)})
    data = xr.DataTree.from_dict({"posterior": uneven, "other": uneven[["shift"]]})
    out = rebasin_to_zarr(data, tmp_path / "store", MIXTURE, reference=(1, 7), progress_bar=False)
    _equal(out, nsym.rebasin(data, MIXTURE, reference=(1, 7)))


def test_progress_bar_can_be_turned_off(tree, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module, "DELAY", 0.0)
    for name in ("CI", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)
    rebasin_to_zarr(tree, tmp_path / "loud", MIXTURE, reference="first")
    assert "100%" in capsys.readouterr().out
    rebasin_to_zarr(tree, tmp_path / "quiet", MIXTURE, reference="first", progress_bar=False)
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("CI", "true")
    rebasin_to_zarr(tree, tmp_path / "unwatched", MIXTURE, reference="first")
    assert capsys.readouterr().out == ""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_local_cluster_does_the_same(tree, tmp_path):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        out = rebasin_to_zarr(
            tree, tmp_path / "store", MIXTURE, reference=(1, 7), progress_bar=False
        ).load()
    _equal(out, nsym.rebasin(tree, MIXTURE, reference=(1, 7)))


def test_another_store_is_not_overwritten(tree, tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "notes.txt").write_text("keep me")
    with pytest.raises(SymmetryError, match="holds something else"):
        rebasin_to_zarr(tree, tmp_path / "theirs", MIXTURE, progress_bar=False)
    rebasin_to_zarr(tree, tmp_path / "ours", MIXTURE, reference="first", progress_bar=False)
    fewer = xr.DataTree.from_dict(
        {"posterior": tree["posterior"].to_dataset().isel(draw=slice(0, 100))}
    )
    with pytest.raises(SymmetryError, match="begun with other draws"):
        rebasin_to_zarr(fewer, tmp_path / "ours", MIXTURE, progress_bar=False)


def test_nan_is_refused(tree, tmp_path):
    draws = planted()
    draws["mu"][3, 249, 1] = np.nan
    dims = ("chain", "draw", "component")
    posterior = xr.Dataset({name: (dims[: x.ndim], x) for name, x in draws.items()}).chunk(
        {"draw": 50}
    )
    with pytest.raises(SymmetryError, match="NaN or infinite"):
        nsym.rebasin(xr.DataTree.from_dict({"posterior": posterior}), MIXTURE, reference="first")[
            "posterior"
        ].load()


def _again(tree, store, sym=MIXTURE, reference=(1, 7)):
    return rebasin_to_zarr(tree, store, sym, reference=reference, progress_bar=False)


@pytest.fixture
def finished(tree, tmp_path):
    _again(tree, tmp_path / "store")
    return tmp_path / "store"


def _other_draws(tree):
    """Of equal shape, and different only in one draw in the middle of a block."""
    posterior = tree["posterior"].to_dataset().load().copy(deep=True)
    posterior["mu"].values[2, 150] += 1e-6
    rest = {name: node.to_dataset() for name, node in tree.children.items() if name != "posterior"}
    return xr.DataTree.from_dict({"posterior": posterior.chunk({"chain": 2, "draw": 100}), **rest})


OTHERS = {
    "other draws": lambda tree, store: _again(_other_draws(tree), store),
    "another symmetry": lambda tree, store: _again(tree, store, nsym.mixture(3, {"mu": 0})),
    "another symmetry: a name": lambda tree, store: _again(
        tree, store, MIXTURE.rename({"component": "label"})
    ),
    "another reference: a draw": lambda tree, store: _again(tree, store, reference=(1, 8)),
    "another reference: the mean": lambda tree, store: _again(tree, store, reference="mean"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_store_of_another_run_is_refused(tree, finished, what):
    before = xr.open_datatree(finished, engine="zarr", consolidated=False).load()
    with pytest.raises(SymmetryError, match=f"begun with {what.split(':')[0]}"):
        OTHERS[what](tree, finished)
    after = xr.open_datatree(finished, engine="zarr", consolidated=False).load()
    xr.testing.assert_identical(before, after)


def _overwritten(path):
    path.write_bytes(b"\x00\x01damaged")


BLOCKS = {
    "a chunk that is gone": lambda store: (store / "posterior" / "mu" / "1.1.0").unlink(),
    "a damaged chunk": lambda store: _overwritten(store / "posterior" / "mu" / "1.1.0"),
    "a damaged flag": lambda store: _overwritten(store / "rebasin_written" / "posterior" / "4.0"),
}


@pytest.mark.parametrize("what", BLOCKS)
def test_a_damaged_block_is_named_and_made_again(tree, finished, what):
    BLOCKS[what](finished)
    with pytest.raises(
        SymmetryError, match="the block chain 2 to 3, draw 100 to 199 of group 'posterior'"
    ):
        _again(tree, finished)
    _equal(_again(tree, finished), nsym.rebasin(tree, MIXTURE, reference=(1, 7)))


def test_a_flag_that_is_gone_makes_its_block_again(tree, finished):
    (finished / "rebasin_written" / "posterior" / "4.0").unlink()
    (finished / "posterior" / "mu" / "1.1.0").unlink()
    _equal(_again(tree, finished), nsym.rebasin(tree, MIXTURE, reference=(1, 7)))


DAMAGED = {
    "the reference in .* is damaged": lambda store: (
        store / "rebasin_reference" / "mu" / "0"
    ).unlink(),
    "group 'rebasin_reference' in .* cannot be read": lambda store: _overwritten(
        store / "rebasin_reference" / "mu" / ".zarray"
    ),
    "its attributes in .* cannot be read": lambda store: _overwritten(store / ".zattrs"),
    "attributes of .* are damaged": lambda store: (store / ".zattrs").write_text(
        (store / ".zattrs").read_text().replace('"draws": "', '"draws": "0')
    ),
    "holds something else": lambda store: (store / ".zattrs").write_text("{}"),
}


@pytest.mark.parametrize("message", DAMAGED)
def test_a_damaged_store_is_refused(tree, finished, message):
    DAMAGED[message](finished)
    with pytest.raises(SymmetryError, match=message):
        _again(tree, finished)
