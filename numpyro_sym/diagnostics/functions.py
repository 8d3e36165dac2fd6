"""What the symmetry leaves as it is: the functions by which chains are judged."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..symmetry import Symmetry, SymmetryError, kinds
from ..symmetry.arguments import check_arguments
from .groups import ArvizData, get_group, group_names, posterior_of, sample_dims

#: So many observations, evenly spaced, stand for all where each is looked at.
OBSERVATIONS = 100


def invariant_functions(data: ArvizData, sym: Symmetry, names: kinds.NameOrNames | None = None) -> xr.Dataset:
    """Draws of functions that no element of the symmetry changes.

    :param data: an ArviZ object with a posterior.
    :param sym: the symmetry.
    :param names: posterior variables that the symmetry leaves as they are, such as predictions.
        Left out: the log likelihood where there is such a group, summed and (since two functions
        can be equally likely) of each observation, evenly spaced ones where there are more than
        100; else ``lp`` of the sample statistics; else every variable that is no site of the symmetry.
    :returns: a Dataset over ``chain`` and ``draw``.
    :raises SymmetryError: where a name is unknown or moved by the symmetry, or nothing is there.
    """
    check_arguments(invariant_functions, locals())
    posterior = posterior_of(data)
    if sample_dims(posterior) != ("chain", "draw"):
        raise SymmetryError(
            "diagnose compares chains, and these are independent draws of a guide. Use rebasin, or compare guides "
            "with numpyro_sym.diagnostics.compare_gaussians."
        )
    if names is not None:
        names = [names] if isinstance(names, str) else list(names)
        for name in names:
            if name not in posterior:
                raise SymmetryError(
                    f"invariant: the posterior has no variable {name!r}; it has {list(posterior.data_vars)}."
                )
            if name in sym.sites:
                raise SymmetryError(f"invariant: {name!r} is moved by the symmetry, so it is not invariant.")
        return posterior[names]
    groups = group_names(data)
    if "log_likelihood" in groups:
        return _log_likelihood(get_group(data, "log_likelihood"))
    if "sample_stats" in groups and "lp" in (stats := get_group(data, "sample_stats")):
        return stats[["lp"]]
    others = [name for name in posterior.data_vars if name not in sym.sites]
    if not others:
        raise SymmetryError(
            "diagnose: nothing invariant to compare with. Pass arviz.from_numpyro(mcmc, log_likelihood=True), or make "
            "predictions a numpyro.deterministic site and name it in invariant=."
        )
    return posterior[others]


def _log_likelihood(each: xr.Dataset) -> xr.Dataset:
    out: dict[str, xr.DataArray] = {}
    total: xr.DataArray | float = 0.0
    for name, x in each.items():
        observed = [d for d in x.dims if d not in ("chain", "draw")]
        total = total + x.sum(observed)
        if observed:
            dim = f"{name}_observation"
            flat = x.stack({dim: observed}, create_index=False)
            some = np.unique(np.linspace(0, flat.sizes[dim] - 1, min(flat.sizes[dim], OBSERVATIONS)).astype(int))
            out[f"each {name}"] = flat.isel({dim: some}).reset_coords(drop=True)
    return xr.Dataset({"log_likelihood": total, **out})
