"""Draws of an ArviZ object brought to one representative each, and handed back as they came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xarray as xr

from ..alignment import Alignment, align, align_chunked
from ..symmetry import Symmetry
from .groups import get_group, group_names, posterior_of, site_arrays, with_groups, with_sites

#: The groups whose draws are brought to the reference.
ALIGNED_GROUPS = ("posterior", "warmup_posterior")

Reference = str | tuple[int, int] | Mapping[str, Any]


def rebasin(data: Any, sym: Symmetry, *, reference: Reference = "mean") -> Any:
    """Align every draw to one reference by the element of the symmetry that brings it closest.

    Chains and draws that differ only by labels, order or signs come to lie on each other, so that
    R-hat, ESS and summaries of single weights mean something. What is not a symmetry is not
    repaired: two chains in different functional modes stay apart. Aligning to a reference shrinks
    the spread a little; :func:`numpyro_sym.diagnose` shows raw and aligned figures beside those of
    an invariant function (Ainsworth et al. 2023, Git Re-Basin; Xiao et al. 2023).

    Draws that are dask arrays come back as such, aligned chunk by chunk when they are computed;
    :func:`rebasin_to_zarr` writes them so that an interrupted run can be taken up again.

    :param data: an ArviZ object with a posterior: InferenceData (0.x) or DataTree (1.x).
    :param sym: the model's :class:`~numpyro_sym.Symmetry`; of any kind.
    :param reference: ``"mean"``: the mean of the aligned draws, repeated until it is still;
        ``"first"``: the first draw of the first chain; ``(chain, draw)``: that draw; or a dict
        site name -> array, a point.
    :returns: an object of the same type. Posterior and warm-up draws of the symmetry's sites are
        aligned; dims, coords, attrs, dtypes and every other variable and group are as they were,
        and ``data`` is not changed. Deterministics that name single units are among those others.
    :raises SymmetryError: where there is no posterior, it is empty, holds NaN or infinite draws,
        lacks a site, or a shape does not fit.

    >>> import arviz as az, numpy as np, numpyro_sym as nsym
    >>> mu = np.random.default_rng(0).normal([-3.0, 3.0], 0.1, size=(4, 100, 2))
    >>> mu[2:] = mu[2:, :, ::-1]  # two chains call the components by the other's name
    >>> data = az.from_dict({"posterior": {"mu": mu}}) if az.__version__ >= "1" else az.from_dict({"mu": mu})
    >>> aligned = nsym.rebasin(data, nsym.mixture(2, {"mu": 0}))
    >>> bool(np.ptp(aligned.posterior["mu"].mean(("chain", "draw")).values) > 5.9)
    True
    """
    posterior = posterior_of(data)
    found = align_dataset(posterior, reference, sym)
    changed = {"posterior": with_sites(posterior, found.sites)}
    for group in ALIGNED_GROUPS[1:]:
        if group in group_names(data):
            dataset = get_group(data, group)
            changed[group] = with_sites(dataset, align_dataset(dataset, found.reference, sym).sites)
    return with_groups(data, changed)


def align_dataset(dataset: xr.Dataset, reference: Reference, sym: Symmetry) -> Alignment:
    """The alignment of a group's draws: of dask arrays where the group holds such."""
    draws = site_arrays(dataset, sym.sites)
    if dataset[list(draws)].chunks:
        return align_chunked(draws, reference, sym, sample_ndim=2)
    return align(draws, reference, sym, sample_ndim=2)
