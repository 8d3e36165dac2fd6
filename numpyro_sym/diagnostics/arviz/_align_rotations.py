"""Factor models in ArviZ objects: every draw brought to one rotation, scores with the loadings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr

from ...alignment import Rotated, align_procrustes, align_varimax
from ...symmetry import SymmetryError, kinds
from ...symmetry.arguments import check_arguments
from ...symmetry.bars import progress
from ...symmetry.deprecated import renamed_arguments
from ._rebasin import ALIGNED_GROUPS
from ._to_arviz import draws_fault, has_run, to_arviz
from .groups import (
    get_group,
    group_names,
    posterior_of,
    sample_dims,
    site_arrays,
    with_groups,
    with_sites,
)

Axes = Mapping[str, int]


def _data_fault(value: Any) -> str | None:
    return None if isinstance(value, xr.Dataset) else draws_fault(value)


Draws = Annotated[
    Any,
    kinds.Kind(
        "an ArviZ object with a posterior, that group alone, an MCMC that has run, or a dict, site "
        "name -> array (chain, draw, *site)",
        _data_fault,
    ),
]

#: The group that holds the rotations of a group of draws.
KEPT = {"posterior": "rotation", "warmup_posterior": "warmup_rotation"}


def _axes_fault(value: Any) -> str | None:
    if isinstance(value, str):
        return f"Write {{{value!r}: -1}}: the site, and its axis of factors."
    if not isinstance(value, Mapping):
        return ""
    is_whole = kinds.whole(-(10**3), 10**3).fault
    fits = all(isinstance(name, str) and is_whole(axis) is None for name, axis in value.items())
    return None if fits else ""


FactorAxes = Annotated[
    Axes, kinds.Kind("a dict, site name -> its axis that runs over factors", _axes_fault)
]


@renamed_arguments(normalise="normalize")
def align_rotations(
    data: Draws,
    loadings: FactorAxes,
    *,
    factors: FactorAxes | None = None,
    method: Literal["varimax", "procrustes"] = "varimax",
    reference: Any = None,
    normalize: bool = False,
    keep_rotations: bool = False,
    progress_bar: bool = True,
) -> Any:
    """Bring every draw of a factor model to one rotation of its factors, as
    :func:`numpyro_sym.rebasin` brings units to one order.

    :func:`~numpyro_sym.alignment.align_varimax` or
    :func:`~numpyro_sym.alignment.align_procrustes` of the loadings of all draws; scores are turned
    along, so that ``scores @ loadings.T`` is what it was. A prior that is not spherical over
    factors tells rotations apart: the draws that come back are then none of the posterior, and only
    what does not rotate is to be read.

    :param data: an ArviZ object of either generation, its posterior alone (a Dataset), an MCMC that
        has run, or a dict of draws ``(chain, draw, *site)``.
    :param loadings: site name -> the axis that runs over factors; several are turned together.
    :param factors: scores, likewise.
    :param method: ``"varimax"``: each draw's own simple structure, then the nearest order and
        signs; ``"procrustes"``: the nearest rotation.
    :param reference: loadings to come near to, site name -> array ``site``, or an aligned object,
        whose mean they are; by default the iterated mean of the draws.
    :param normalize: of varimax, as there.
    :param keep_rotations: add a group ``rotation`` (and ``warmup_rotation``) with each draw's
        matrix and distance.
    :param progress_bar: whether to show one where it takes long.
    :returns: an object of the same type; dims, coords, attributes, dtypes, other variables and
        groups as they were. The attribute ``rotation`` of the groups that were turned tells what
        was done.
    :raises SymmetryError: where a site or an axis is not there, numbers of factors differ, or
        loadings are not finite; where rotations are to be kept, and there is but a Dataset.

    >>> import numpyro_sym as nsym
    >>> rng = np.random.default_rng(0)
    >>> w, z = rng.normal(size=(2, 5, 6, 2)), rng.normal(size=(2, 5, 9, 2))
    >>> done = align_rotations({"w": w, "z": z}, {"w": 1}, factors={"z": 1}).posterior
    >>> fit = done["z"].values @ done["w"].values.swapaxes(-1, -2)
    >>> bool(np.allclose(fit, z @ w.swapaxes(-1, -2)))
    True
    """
    check_arguments(align_rotations, locals())
    if isinstance(data, xr.Dataset):
        if keep_rotations:
            raise SymmetryError(
                "align_rotations: rotations are kept in a group, and a posterior alone has no "
                "place for one. Pass the whole object."
            )
        tree = xr.DataTree.from_dict({"posterior": data})
        done = align_rotations(
            tree,
            loadings,
            factors=factors,
            method=method,
            reference=reference,
            normalize=normalize,
            progress_bar=progress_bar,
        )
        return get_group(done, "posterior")
    if not loadings:
        raise SymmetryError("align_rotations: loadings is empty: name their site and its axis.")
    data = to_arviz(data)
    both = {**(factors or {}), **loadings}
    point = None if reference is None else _point_of(reference, loadings)
    changed: dict[str, xr.Dataset | None] = {}
    for group in ALIGNED_GROUPS:
        if group not in group_names(data):
            continue
        dataset = posterior_of(data) if group == "posterior" else get_group(data, group)
        lead = len(sample_dims(dataset))
        draws = {n: np.asarray(x) for n, x in site_arrays(dataset, tuple(both)).items()}
        with progress("align_rotations", "draws", progress_bar):
            found = _rotated(draws, loadings, lead, method, point, normalize)
        point = found.reference
        turned = {n: _turned(n, draws[n], both[n], found.rotation, lead) for n in both}
        told = _summary(found, loadings, factors or {}, method)
        changed[group] = with_sites(dataset, turned).assign_attrs(rotation=told)
        changed[KEPT[group]] = _record(found, dataset) if keep_rotations else None
    return with_groups(data, changed)


def _rotated(
    draws: Mapping[str, np.ndarray],
    loadings: Axes,
    lead: int,
    method: str,
    point: np.ndarray | None,
    normalize: bool,
) -> Rotated:
    x = _rows({name: draws[name] for name in loadings}, loadings, lead)
    if method == "varimax":
        return align_varimax(x, reference=point, normalize=normalize)
    return align_procrustes(x, point)


def _rows(arrays: Mapping[str, np.ndarray], axes: Axes, lead: int) -> np.ndarray:
    """All loadings of each draw, ``(*sample, variables, factors)``."""
    parts = {name: _factors_last(name, x, axes[name], lead) for name, x in arrays.items()}
    numbers = {name: x.shape[-1] for name, x in parts.items()}
    if len(set(numbers.values())) > 1:
        raise SymmetryError(f"align_rotations: sites have other numbers of factors: {numbers}.")
    rows = [x.reshape(*x.shape[:lead], -1, x.shape[-1]) for x in parts.values()]
    return np.concatenate(rows, -2)


def _factors_last(name: str, x: np.ndarray, axis: int, lead: int) -> np.ndarray:
    ndim = x.ndim - lead
    if not -ndim <= axis < ndim:
        raise SymmetryError(
            f"align_rotations: site {name!r} of shape {x.shape[lead:]} has no axis {axis}."
        )
    return np.moveaxis(x, lead + axis % ndim, -1)


def _turned(name: str, x: np.ndarray, axis: int, rotation: np.ndarray, lead: int) -> np.ndarray:
    last = _factors_last(name, x, axis, lead)
    if last.shape[-1] != rotation.shape[-1]:
        raise SymmetryError(
            f"align_rotations: site {name!r} of shape {x.shape[lead:]} has {last.shape[-1]} factors"
            f" along axis {axis}; the loadings have {rotation.shape[-1]}."
        )
    rows = last.reshape(*last.shape[:lead], -1, last.shape[-1])
    turned = (rows @ rotation).reshape(last.shape)
    return np.moveaxis(turned, -1, lead + axis % (x.ndim - lead))


def _point_of(reference: Any, loadings: Axes) -> np.ndarray:
    """Loadings of one point, ``(variables, factors)``."""
    if has_run(reference) or "posterior" in group_names(reference):
        posterior = posterior_of(to_arviz(reference))
        lead = tuple(range(len(sample_dims(posterior))))
        draws = site_arrays(posterior, tuple(loadings))
        return _rows({n: np.asarray(x.mean(lead)) for n, x in draws.items()}, loadings, 0)
    if not isinstance(reference, Mapping) or any(name not in reference for name in loadings):
        raise SymmetryError(
            "align_rotations: reference is a dict with loadings of one point, "
            f"{sorted(loadings)}, or an aligned ArviZ object; got {type(reference).__name__}."
        )
    return _rows({name: np.asarray(reference[name]) for name in loadings}, loadings, 0)


def _summary(found: Rotated, loadings: Axes, factors: Axes, method: str) -> str:
    told = {
        "by": "numpyro_sym.align_rotations",
        "method": method,
        "loadings": dict(loadings),
        "factors": dict(factors),
        "settled_share": round(float(np.mean(found.settled)), 6),
        "mean_distance": round(float(np.mean(found.distance)), 6),
    }
    return json.dumps(told)


def _record(found: Rotated, draws: xr.Dataset) -> xr.Dataset:
    sample = sample_dims(draws)
    variables = {
        "rotation": ((*sample, "factor", "aligned_factor"), found.rotation),
        "distance": (sample, found.distance),
        "settled": (sample, found.settled),
    }
    return xr.Dataset(variables, {dim: draws[dim] for dim in sample if dim in draws.coords})
