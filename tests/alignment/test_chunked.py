"""Dask arrays aligned chunk by chunk: the same as in memory, lazily, whatever the chunks."""

from __future__ import annotations

import dask
import dask.array as da
import jax
import numpy as np
import pytest
from alignment_cases import CASES, draws, elements

from numpyro_sym import SymmetryError
from numpyro_sym.alignment import Wasserstein, Whitened, align, align_chunked
from numpyro_sym.alignment._align import aligned

FIELDS = ["sites", "elements", "distance", "distance_before", "gap", "exact"]


def _lazy(sites, chunks=(2, 5)):
    return {s: da.from_array(x, chunks=(*chunks, *x.shape[2:])) for s, x in sites.items()}


def _near(name, sample, seed=0):
    """Draws about one point, each under an element of its own."""
    sym, shapes = CASES[name]
    rng = np.random.default_rng(seed)
    reference = draws(name, seed=1)
    near = {
        s: reference[s] + 0.05 * rng.normal(size=(*sample, *shape)) for s, shape in shapes.items()
    }
    return reference, sym.act(elements(sym, sample, seed), near)


@pytest.mark.parametrize("name", ["deep signed", "mixture", "conv", "deep scaled", "hmm"])
@pytest.mark.parametrize("chunks", [(2, 5), (3, 17), (1, (3, 14))])
@pytest.mark.parametrize("index", [None, (1, 4)])
def test_chunks_change_nothing(name, chunks, index):
    sym, _ = CASES[name]
    reference, sites = _near(name, (3, 17))
    at = reference if index is None else index
    r, whole = (
        align_chunked(_lazy(sites, chunks), at, sym, sample_ndim=2),
        align(sites, at, sym, sample_ndim=2),
    )
    for field in FIELDS:
        for a, b in zip(*(jax.tree.leaves(getattr(x, field)) for x in (r, whole)), strict=True):
            assert isinstance(a, da.Array)
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a.compute(), b, rtol=1e-12, atol=1e-12)


def test_nothing_is_aligned_before_it_is_asked_for(monkeypatch):
    sym, _ = CASES["mixture"]
    reference, sites = _near("mixture", (3, 17))
    r = align_chunked(_lazy(sites), reference, sym)
    calls = []

    def counted(*args, **kwargs):
        calls.append(len(args[1]["mu"]))
        return aligned(*args, **kwargs)

    monkeypatch.setattr("numpyro_sym.alignment.chunked.aligned", counted)
    assert r.sites["mu"][0, :2].compute(scheduler="synchronous").shape == (2, 4, 2)
    assert len(calls) == 1
    calls.clear()
    dask.compute(r, scheduler="synchronous")
    # One alignment for each of 2 x 4 chunks, whatever is asked for.
    assert len(calls) == 8


@pytest.mark.parametrize("name", ["deep signed", "mixture"])
def test_iterated_mean_is_the_one_in_memory(name):
    sym, _ = CASES[name]
    _, sites = _near(name, (3, 17))
    whole = align(sites, "mean", sym, sample_ndim=2)
    r = align_chunked(_lazy(sites), "mean", sym, sample_ndim=2)
    for site in sym.sites:
        np.testing.assert_allclose(r.sites[site].compute(), whole.sites[site], rtol=1e-12)
        np.testing.assert_allclose(r.reference[site], whole.reference[site], rtol=1e-12)


def test_iterated_mean_is_nearer_than_the_first_draw():
    sym, _ = CASES["mixture"]
    sites = draws("mixture", (3, 17))
    means = [
        align_chunked(_lazy(sites), at, sym, sample_ndim=2).distance.compute()
        for at in ("mean", "first")
    ]
    assert (means[0] ** 2).sum() < (means[1] ** 2).sum() / 1.2


def test_single_precision_is_kept_and_other_sites_pass_through():
    sym, _ = CASES["mixture"]
    sites = _lazy({s: x.astype(np.float32) for s, x in draws("mixture", (3, 17)).items()})
    other = da.ones((3, 17))
    r = align_chunked({**sites, "other": other}, "first", sym, sample_ndim=2)
    assert r.sites["mu"].dtype == r.distance.dtype == np.float32
    assert r.sites["mu"].compute().dtype == np.float32
    assert r.sites["other"] is other
    assert r.elements["component"].permutation.compute().dtype == int


def test_other_metrics():
    sym, _ = CASES["mixture"]
    reference, sites = _near("mixture", (3, 17))
    metric = Whitened({s: np.exp(x) for s, x in draws("mixture", seed=2).items()})
    r = align_chunked(_lazy(sites), reference, sym, metric=metric)
    np.testing.assert_allclose(
        r.distance.compute(), align(sites, reference, sym, metric=metric).distance, rtol=1e-12
    )


def test_what_does_not_fit_is_refused():
    sym, _ = CASES["mixture"]
    reference, sites = _near("mixture", (3, 17))
    with pytest.raises(SymmetryError, match="site 'weights' is a ndarray; expected a dask array"):
        align_chunked(sites, reference, sym)
    with pytest.raises(SymmetryError, match="the draws lack site 'mu'"):
        align_chunked({"weights": _lazy(sites)["weights"]}, reference, sym)
    with pytest.raises(
        SymmetryError, match=r"reference \(1, 17\) is no draw of sample shape \(3, 17\)"
    ):
        align_chunked(_lazy(sites), (1, 17), sym, sample_ndim=2)
    with pytest.raises(SymmetryError, match="Wasserstein holds"):
        align_chunked(_lazy(sites), reference, sym, metric=Wasserstein(sites, reference))
    with pytest.raises(SymmetryError, match="site 'weights' of the draws is a dask array"):
        align(_lazy(sites), reference, sym)
    sites["mu"][2, 16] = np.nan
    with pytest.raises(SymmetryError, match="NaN or infinite"):
        align_chunked(_lazy(sites), reference, sym).distance.compute()
