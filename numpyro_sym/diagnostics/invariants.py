"""What the symmetry leaves as it is: the functions by which chains are judged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ..symmetry import Symmetry, SymmetryError, kinds
from ..symmetry.arguments import check_arguments
from .arviz.groups import ArvizData, posterior_of, sample_dims
from .indicators import pairs_alike
from .labels import runs_over_units
from .sampler import ENERGIES, companion, of_other_runs

#: How to get a function that no relabeling changes.
_REMEDY = (
    "Pass arviz.from_numpyro(mcmc, log_likelihood=True), or run the chains with "
    'extra_fields=("potential_energy",), which becomes lp of sample_stats; or let the model say '
    "it, numpyro_sym.diagnostics.with_log_joint(data, model, ...); or make predictions a "
    "numpyro.deterministic site and name it in invariant=."
)


def invariant_functions(
    data: ArvizData, sym: Symmetry, names: kinds.NameOrNames | None = None
) -> xr.Dataset:
    """Draws of functions that no element of the symmetry changes.

    :param data: an ArviZ object with a posterior.
    :param sym: the symmetry.
    :param names: posterior variables that the symmetry leaves as they are, such as predictions.
        Beside them, and without them, the log likelihood where there is such a group, summed and
        (since two functions can be equally likely) of each observation; and ``lp``,
        ``potential_energy`` and ``energy`` of the sample statistics. Where there is none of these,
        every float variable outside the symmetry that cannot name units: no integers, no axis as
        long as units are many, no ``*_decentered``; and of labels of units the share of pairs that
        are alike.
    :returns: a Dataset over ``chain`` and ``draw``; empty only where all there was is of another
        run.
    :raises SymmetryError: where a name is unknown or moved by the symmetry, or nothing is there.
    """
    check_arguments(invariant_functions, locals())
    posterior = posterior_of(data)
    if sample_dims(posterior) != ("chain", "draw"):
        raise SymmetryError(
            "diagnose compares chains, and these are independent draws of a guide. Use rebasin, or "
            "compare guides with numpyro_sym.diagnostics.compare_gaussians."
        )
    named = _named(posterior, sym, names)
    found = {name: posterior[name] for name in named}
    likelihood = companion(data, "log_likelihood", posterior)
    if likelihood is not None:
        found |= _log_likelihood(likelihood)
    stats = companion(data, "sample_stats", posterior)
    if stats is not None:
        found |= {name: stats[name] for name in ENERGIES if name in stats}
    if not found:
        for name, x in outside(posterior, sym).items():
            if not runs_over_units(x, sym):
                found[name] = x
        others = bool(found)
        for name, x in pairs_alike(posterior, sym).items():
            # Labels that never move, of groups far apart, tell nothing beside others.
            if np.ptp(x.values) or not others:
                found[name] = x
    if not found and not of_other_runs(data, posterior):
        raise SymmetryError(f"diagnose: nothing invariant to compare with. {_REMEDY}")
    bare = {name: x.drop_vars(set(x.coords) - {"chain", "draw"}) for name, x in found.items()}
    return xr.Dataset(bare, coords={dim: posterior[dim] for dim in ("chain", "draw")})


def outside(posterior: xr.Dataset, sym: Symmetry) -> dict[str, xr.DataArray]:
    """Variables that hold draws of numbers and that the symmetry does not move."""
    moved = {*sym.sites, *sym.label_sites}
    found = {}
    for name, x in posterior.data_vars.items():
        is_draws = {"chain", "draw"} <= set(x.dims) and x.size and _is_number(x.dtype)
        if name not in moved and is_draws:
            found[str(name)] = x
    return found


def _is_number(dtype: np.dtype) -> bool:
    """Whether R-hat can be had: bfloat16 and its kin, whose kind is V, are numbers too."""
    return dtype.kind in "biuf" or (dtype.kind == "V" and dtype.names is None)


def _named(posterior: xr.Dataset, sym: Symmetry, names: str | Sequence[str] | None) -> list[str]:
    named = [names] if isinstance(names, str) else list(names or ())
    for name in named:
        if name not in posterior:
            raise SymmetryError(
                f"invariant: the posterior has no variable {name!r}; it has "
                f"{list(posterior.data_vars)}."
            )
        if name in sym.sites or name in sym.label_sites:
            raise SymmetryError(
                f"invariant: {name!r} is moved by the symmetry, so it is not invariant."
            )
    return named


def _log_likelihood(each: xr.Dataset) -> dict[str, xr.DataArray]:
    out: dict[str, xr.DataArray] = {}
    total: xr.DataArray | float = 0.0
    for name, x in each.items():
        if not {"chain", "draw"} <= set(x.dims):
            continue
        observed = [d for d in x.dims if d not in ("chain", "draw")]
        total = total + x.sum(observed)
        if observed:
            flat = x.transpose("chain", "draw", ...).values
            dims = ("chain", "draw", f"{name}_observation")
            out[f"each {name}"] = xr.DataArray(flat.reshape(*flat.shape[:2], -1), dims=dims)
    if not isinstance(total, xr.DataArray):
        return {}
    return {"log_likelihood": total, **out}
