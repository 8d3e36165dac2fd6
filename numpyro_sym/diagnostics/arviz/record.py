"""What was done to draws, kept beside them: the elements that moved them, as a group of
their own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from ...alignment import Alignment
from ...symmetry import Element, Symmetry, SymmetryError, kinds
from ...symmetry.arguments import check_arguments
from ..scales import used_symmetry
from .groups import (
    ArvizData,
    get_group,
    group_names,
    sample_dims,
    site_arrays,
    with_groups,
    with_sites,
)

Elements = dict[str, Element]

#: The group that holds the elements of a group of draws.
RECORDS = {"posterior": "rebasin", "warmup_posterior": "warmup_rebasin"}


def how_known(sym: Symmetry) -> str:
    """How a symmetry is known: the first of what it has to say, if it was found."""
    return sym.notes[0] if sym.notes else "declared by hand, not checked"


def summary_of(
    found: Alignment,
    sym: Symmetry,
    reference: str,
    metric: str,
    scales: str | Sequence[str] = (),
    known: str = "",
) -> str:
    """One line of JSON for an attribute: what was done and, where that is known by now, how well it
    went.
    """
    used = used_symmetry(sym, scales, "rebasin")
    told: dict[str, Any] = {
        "by": "numpyro_sym.rebasin",
        "units": {u.name: f"{u.describe_size()} {u.kind}: {u.describe_axes()}" for u in used},
        "reference": reference,
        "metric": metric,
        "symmetry": known or how_known(used),
    }
    moved = [u.name for u in used if u.has_scales]
    if moved:
        told["scales"] = f"moved: {', '.join(moved)}; not draws of the posterior"
    elif used != sym:
        told["scales"] = "left as they are"
    if isinstance(found.distance, np.ndarray):  # dask's are not computed yet
        told["mean_distance_before"] = round(float(np.mean(found.distance_before)), 6)
        told["mean_distance"] = round(float(np.mean(found.distance)), 6)
        told["exact_share"] = round(float(np.mean(found.exact)), 6)
    return json.dumps(told)


def record_of(found: Alignment, draws: xr.Dataset, sym: Symmetry) -> xr.Dataset:
    """Elements, distances and gaps of each draw as a Dataset over the draws' dimensions."""
    variables: dict[str, Any] = {}
    sample = sample_dims(draws)
    for u in sym:
        sets = [_name(u.name, f"set_{i}") for i in range(len(u.batch))]
        dims = (*sample, *sets, _name(u.name, "slot"))
        for part, x in found.elements[u.name]._asdict().items():
            variables[_name(u.name, part)] = (dims, np.asarray(x))
    for name in ("distance_before", "distance", "gap", "exact"):
        variables[name] = (sample, np.asarray(getattr(found, name)))
    return xr.Dataset(variables, {dim: draws[dim] for dim in sample if dim in draws.coords})


def elements_of(data: ArvizData, sym: Symmetry, group: str = "posterior") -> Elements:
    """The elements that :func:`numpyro_sym.rebasin` kept with ``keep_elements=True``.

    They survive a file, can be inverted (``sym.inverse``), and move any group that was drawn in
    the same order with :func:`act_on_group`.

    :param data: what :func:`numpyro_sym.rebasin` returned, or the same read back from a file.
    :param sym: the symmetry, of which names and numbers of units are used.
    :param group: the group that was moved, ``"posterior"`` or ``"warmup_posterior"``.
    :returns: units name -> Element with arrays of shape ``(chain, draw, *batch, n)``.
    :raises SymmetryError: where no elements were kept, or they are of other units.

    >>> import arviz as az, numpy as np, numpyro_sym as nsym
    >>> from numpyro_sym.diagnostics import act_on_group, elements_of
    >>> mu = np.random.default_rng(0).normal([-3.0, 3.0], 0.1, size=(4, 100, 2))
    >>> mu[2:] = mu[2:, :, ::-1]
    >>> groups = {"posterior": {"mu": mu}}
    >>> data = az.from_dict(groups) if az.__version__ >= "1" else az.from_dict(**groups)
    >>> sym = nsym.mixture(2, {"mu": 0})
    >>> aligned = nsym.rebasin(data, sym, keep_elements=True)
    >>> g = elements_of(aligned, sym)
    >>> back = act_on_group(aligned, sym, sym.inverse(g))
    >>> bool((back.posterior["mu"] == data.posterior["mu"]).all())
    True
    """
    check_arguments(elements_of, locals())
    name = RECORDS.get(group)
    if name not in group_names(data):
        raise SymmetryError(
            f"elements_of: no elements of group {group!r} are kept; there are groups "
            f"{group_names(data)}. Use rebasin(data, sym, keep_elements=True)."
        )
    kept = get_group(data, name)
    kept = kept.transpose(*sample_dims(kept), ...)
    lead = len(sample_dims(kept))
    shapes = {str(name): x.shape[lead:] for name, x in kept.items()}
    out = {}
    for u in sym:
        names = [_name(u.name, part) for part in Element._fields]
        if any(shapes.get(name) != u.shape for name in names):
            there = {name: shape for name, shape in shapes.items() if name.endswith("_permutation")}
            raise SymmetryError(
                f"elements_of: the elements kept are not of Units {u.name!r} of shape {u.shape}; "
                f"there are {there}."
            )
        out[u.name] = Element(*(kept[name].values for name in names))
    return out


def act_on_group(
    data: ArvizData, sym: Symmetry, elements: kinds.Elements, group: str = "posterior"
) -> Any:
    """Move the draws of one group by elements that are known.

    For undoing an alignment, for groups that were drawn beside the posterior, and for
    deterministic sites that name single units: give a symmetry whose ``Units`` have the same
    names and act on those sites. In a group that holds labels of units and none of the sites along
    which these lie, as predictions do, the labels are moved.

    :param data: an ArviZ object, of either generation.
    :param sym: the symmetry; its ``Units`` choose among the elements.
    :param elements: units name -> Element with arrays of shape ``(chain, draw, *batch, n)``.
    :param group: the group to move.
    :returns: an object of the same type; ``data`` is not changed.
    :raises SymmetryError: where the group, a site or an element is missing, or shapes do not fit.
    """
    check_arguments(act_on_group, locals())
    if group not in group_names(data):
        raise SymmetryError(
            f"act_on_group: there is no group {group!r}; there are {group_names(data)}."
        )
    dataset = get_group(data, group)
    labels = tuple(site for site in sym.label_sites if site in dataset)
    along = () if labels and dataset.data_vars.keys().isdisjoint(sym.sites) else sym.sites
    draws = {site: np.asarray(x) for site, x in site_arrays(dataset, (*along, *labels)).items()}
    if along:
        moved = sym.act(elements, draws)
    else:
        moved = dict(sym.moved_labels(elements, draws, sample_ndim=len(sample_dims(dataset))))
    return with_groups(data, {group: with_sites(dataset, moved)})


def _name(units: str, part: str) -> str:
    """A variable's name; files and DataTrees forbid a slash in it."""
    return f"{units.replace('/', '|')}_{part}"
