"""Groups of an ArviZ object of either generation: InferenceData or xarray's DataTree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import xarray as xr

from ...symmetry import SymmetryError, kinds


def _arviz_fault(value: Any) -> str | None:
    if "posterior" in group_names(value):
        return None
    if isinstance(value, Mapping):
        return (
            "Draws in a dict go to numpyro_sym.align; for this, make an object by arviz.from_dict."
        )
    if hasattr(value, "get_samples"):
        return "Write arviz.from_numpyro(mcmc)."
    there = group_names(value)
    return f"Its groups are {there}." if there else "Make one with arviz.from_numpyro(mcmc)."


#: An ArviZ object of either generation.
ArvizData = Annotated[
    Any,
    kinds.Kind("an ArviZ object (InferenceData or DataTree) with a posterior group", _arviz_fault),
]


def group_names(data: Any) -> list[str]:
    """Names of the groups, in order."""
    if isinstance(data, xr.DataTree):
        return list(data.children)
    if callable(getattr(data, "groups", None)):
        return list(data.groups())
    return []


def get_group(data: Any, group: str) -> xr.Dataset:
    """One group as a Dataset."""
    node = data[group]
    return node.to_dataset() if isinstance(node, xr.DataTree) else node


def with_groups(data: Any, changed: dict[str, xr.Dataset | None]) -> Any:
    """A copy of the same type with groups replaced, added or (where ``None``) dropped; all else as
    it was.
    """
    kept = {name: dataset for name, dataset in changed.items() if dataset is not None}
    if isinstance(data, xr.DataTree):
        children = {}
        for name, node in data.children.items():
            if name in kept:
                children[name] = xr.DataTree(kept[name], name=name, children=dict(node.children))
            elif name not in changed:
                children[name] = node
        for name, dataset in kept.items():
            if name not in children:
                children[name] = xr.DataTree(dataset, name=name)
        return xr.DataTree(data.to_dataset(), children=children, name=data.name)
    out = data.copy()
    for name in changed:
        if name in group_names(out) and name not in kept:
            delattr(out, name)
        elif name in group_names(out):
            setattr(out, name, kept[name])
        elif name in kept:
            out.add_groups({name: kept[name]}, warn_on_custom_groups=False)
    return out


def posterior_of(data: Any) -> xr.Dataset:
    """The posterior, after the checks that every diagnostic needs.

    :raises SymmetryError: where there is no posterior, or it has no chains or draws.
    """
    names = group_names(data)
    if "posterior" not in names:
        raise SymmetryError(
            f"Expected an ArviZ object (InferenceData or DataTree) with a posterior group; got a "
            f"{type(data).__name__} with {names or 'no groups'}. Make one with "
            "arviz.from_numpyro(mcmc)."
        )
    posterior = get_group(data, "posterior")
    for dim in sample_dims(posterior):
        if dim not in posterior.sizes:
            raise SymmetryError(
                f"The posterior has no dimension {dim!r}; it has {dict(posterior.sizes)}."
            )
        if posterior.sizes[dim] == 0:
            raise SymmetryError(
                f"The posterior has zero {dim}s; there is nothing to align. Run the sampler first."
            )
    return posterior


def sample_dims(dataset: xr.Dataset) -> tuple[str, ...]:
    """The dimensions of draws: chains of a sampler, or the ``sample`` of a guide (ArviZ 1.x)."""
    if "sample" in dataset.sizes and "chain" not in dataset.sizes:
        return ("sample",)
    return ("chain", "draw")


def site_arrays(dataset: xr.Dataset, sites: tuple[str, ...]) -> dict[str, Any]:
    """Draws of the named sites as arrays ``(chain, draw, *site shape)``, of a guide ``(sample,
    *site shape)``.

    They are dask's where one of them is.

    :raises SymmetryError: where a site is missing, naming those there are.
    """
    for site in sites:
        if site not in dataset:
            raise SymmetryError(
                f"The symmetry acts on site {site!r}, which the draws do not hold; they hold "
                f"{list(dataset.data_vars)}. Rename or leave out its Units, or keep the site when "
                "sampling."
            )
    missing = [dim for dim in sample_dims(dataset) if dim not in dataset.sizes]
    if missing:
        raise SymmetryError(
            f"The draws have no dimension {missing[0]!r}; they have {dict(dataset.sizes)}."
        )
    some = dataset[list(sites)]
    if some.chunks:
        some = some.chunk()
    return {site: some[site].transpose(*sample_dims(dataset), ...).data for site in sites}


def with_sites(dataset: xr.Dataset, sites: Mapping[str, Any]) -> xr.Dataset:
    """A copy with other draws of some sites; order of dimensions, dtypes and attributes kept."""
    out = dataset.copy()
    for site, x in sites.items():
        old = dataset[site]
        new = old.transpose(*sample_dims(dataset), ...).copy(data=x.astype(old.dtype))
        out[site] = new.transpose(*old.dims)
    return out
