"""Arrays whose entries a file holds as variables of their own: ``mu[1]``, ``mu[2]``, ..."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import prod
from typing import Annotated, Any

import numpy as np
import xarray as xr

from ...symmetry import SymmetryError, kinds
from ...symmetry.arguments import check_arguments
from .groups import get_group, group_names, with_groups

#: ``theta[1,2]`` of CmdStanPy and brms, and ``theta.1.2`` of Stan's own files.
_ENTRY = re.compile(r"^(?P<array>.+?)(?:\[(?P<inside>\d+(?:,\s*\d+)*)\]|(?P<dots>(?:\.\d+)+))$")

_GROUPS = ("posterior", "warmup_posterior")


def _fault(value: Any) -> str | None:
    if "posterior" in group_names(value) or isinstance(value, xr.Dataset):
        return None
    return kinds.sites_fault(value)


#: Draws under the names of a file.
Draws = Annotated[
    Any, kinds.Kind("an ArviZ object, a Dataset or a dict, name -> array (*sample)", _fault)
]


def stack_scalars(data: Draws, arrays: kinds.NameOrNames | None = None) -> Any:
    """Variables ``mu[1]``, ``mu[2]`` and so on as one array ``mu``, as a symmetry needs them.

    Names are read as CmdStanPy and brms (``theta[1,2]``) and Stan's own files (``theta.1.2``) write
    them; indices count from 0 or from 1. :func:`unstack_scalars` writes them back as they were.

    :param data: an ArviZ object, whose posterior (and warm-up) is looked at, a Dataset, or a dict,
        name -> array of shape ``(*sample)``.
    :param arrays: names of the arrays to be made; by default all whose entries are complete.
    :returns: of the same type: arrays ``(*sample, *shape)`` in place of their entries, in a Dataset
        with dimensions ``mu_dim_0``, ... and the file's indices as coordinates. What is no entry of
        an array stays, as do entries of arrays that are not complete (of a triangle, say).
    :raises SymmetryError: where a named array is not there or not complete, or its name is that of
        another variable.

    >>> stack_scalars({"mu[1]": np.zeros(5), "mu[2]": np.ones(5), "lp__": np.zeros(5)})["mu"].shape
    (5, 2)
    """
    check_arguments(stack_scalars, locals())
    named = (arrays,) if isinstance(arrays, str) else arrays
    if "posterior" in group_names(data):
        changed: dict[str, xr.Dataset | None] = {}
        for group in _GROUPS:
            if group in group_names(data):
                changed[group] = _stacked_dataset(get_group(data, group), named)
        return with_groups(data, changed)
    if isinstance(data, xr.Dataset):
        return _stacked_dataset(data, named)
    out: dict[str, Any] = dict(data)
    for array, grid in _grids(list(data), named).items():
        shapes = {np.shape(data[name]) for name in grid.names}
        if len(shapes) != 1:
            raise SymmetryError(
                f"stack_scalars: the entries of {array!r} have the shapes {sorted(shapes)}; "
                "expected one."
            )
        (sample,) = shapes
        entries = [np.asarray(out.pop(name)) for name in grid.names]
        out[array] = np.stack(entries, -1).reshape(*sample, *grid.shape)
    return out


def unstack_scalars(data: Draws, like: Draws) -> Any:
    """The inverse of :func:`stack_scalars`: entries under the names, and in the order, of a file.

    :param data: what :func:`stack_scalars` gave, aligned or not.
    :param like: what it was given.
    :returns: of the type of ``data``.
    :raises SymmetryError: where an array is missing, or has another shape.

    >>> file = {"mu[1]": np.zeros(5), "mu[2]": np.ones(5)}
    >>> list(unstack_scalars(stack_scalars(file), like=file))
    ['mu[1]', 'mu[2]']
    """
    check_arguments(unstack_scalars, locals())
    if "posterior" in group_names(data):
        changed: dict[str, xr.Dataset | None] = {}
        for group in _GROUPS:
            if group in group_names(data) and group in group_names(like):
                dataset = get_group(data, group)
                changed[group] = _unstacked_dataset(dataset, get_group(like, group))
        return with_groups(data, changed)
    if isinstance(data, xr.Dataset):
        return _unstacked_dataset(data, like)
    out: dict[str, Any] = {}
    for name, origin in _origins(data, list(like)).items():
        if origin is None:
            out[name] = data[name]
        else:
            array, where = origin
            out[name] = _entry(np.asarray(data[array]), where)
    return out


class _Grid:
    """The entries of one array.

    :param entries: name -> indices, as the file counts.
    """

    def __init__(self, array: str, entries: Mapping[str, tuple[int, ...]]) -> None:
        self.array = array
        indices = list(entries.values())
        self.is_even = len({len(i) for i in indices}) == 1
        if not self.is_even:
            return
        # It counts from 0 where any index is 0.
        self.first = 0 if any(0 in i for i in indices) else 1
        self.shape = tuple(
            max(i[k] for i in indices) + 1 - self.first for k in range(len(indices[0]))
        )
        by_place = {i: name for name, i in entries.items()}
        places = np.ndindex(*self.shape)
        self.names = [by_place.get(tuple(k + self.first for k in place)) for place in places]

    @property
    def is_complete(self) -> bool:
        """Whether every entry is there."""
        return self.is_even and prod(self.shape) < 10**8 and None not in self.names


def _grids(names: Sequence[str], named: Sequence[str] | None) -> dict[str, Any]:
    entries: dict[str, dict[str, tuple[int, ...]]] = {}
    for name in names:
        found = _ENTRY.match(name)
        if found:
            text = found["inside"] or found["dots"][1:].replace(".", ",")
            indices = tuple(int(k) for k in text.split(","))
            entries.setdefault(found["array"], {})[name] = indices
    grids = {}
    for array, places in entries.items():
        if named is not None and array not in named:
            continue
        # Two spellings of one entry would be one place.
        grid = _Grid(array, places)
        is_complete = grid.is_complete and len(set(places.values())) == len(places)
        if is_complete and array not in names:
            grids[array] = grid
        elif named is not None:
            why = "there is a variable of this name" if array in names else "entries are missing"
            raise SymmetryError(
                f"stack_scalars: {array!r} cannot be made: {why}; there are {sorted(places)}."
            )
    for array in named or ():
        if array not in grids:
            raise SymmetryError(
                f"stack_scalars: there are no entries of an array {array!r}; there are "
                f"{sorted(entries)}."
            )
    return grids


def _stacked_dataset(dataset: xr.Dataset, named: Sequence[str] | None) -> xr.Dataset:
    grids = _grids([str(name) for name in dataset.data_vars], named)
    out = dataset
    for array, grid in grids.items():
        entries = [dataset[name] for name in grid.names]
        dims = entries[0].dims
        if any(x.dims != dims for x in entries):
            raise SymmetryError(
                f"stack_scalars: the entries of {array!r} have other dimensions than {dims}."
            )
        stacked = np.stack([x.values for x in entries], -1)
        own = [f"{array}_dim_{k}" for k in range(len(grid.shape))]
        coords = {}
        for dim, length in zip(own, grid.shape, strict=True):
            coords[dim] = np.arange(grid.first, grid.first + length)
        values = stacked.reshape(*stacked.shape[:-1], *grid.shape)
        out = (
            out.drop_vars(grid.names).assign({array: ((*dims, *own), values)}).assign_coords(coords)
        )
    return out


def _unstacked_dataset(dataset: xr.Dataset, like: xr.Dataset) -> xr.Dataset:
    names = [str(name) for name in like.data_vars]
    variables = {}
    for name, origin in _origins(dataset, names).items():
        if origin is None:
            variables[name] = dataset[name]
            continue
        array, where = origin
        values = dataset[array].transpose(*like[name].dims, ...).values
        variables[name] = like[name].copy(data=_entry(values, where))
    return xr.Dataset(variables, coords=like.coords, attrs=dataset.attrs)


def _origins(there: Mapping[Any, Any], names: Sequence[str]) -> dict[str, Any]:
    """For each variable of a file the array that holds it, and where it lies there; ``None`` where
    it was never stacked.
    """
    places: dict[str, tuple[str, tuple[int, ...]]] = {}
    for array, grid in _grids(names, None).items():
        if array not in there:
            continue
        given = np.shape(there[array])
        if given[len(given) - len(grid.shape) :] != grid.shape:
            raise SymmetryError(
                f"unstack_scalars: {array!r} has shape {given}; expected (*sample, "
                f"{', '.join(map(str, grid.shape))})."
            )
        for name, where in zip(grid.names, np.ndindex(*grid.shape), strict=True):
            places[name] = array, where
    origins: dict[str, Any] = {}
    for name in names:
        if name not in there and name not in places:
            raise SymmetryError(
                f"unstack_scalars: there is neither {name!r} nor an array that holds it; there are "
                f"{sorted(there)}."
            )
        origins[name] = None if name in there else places[name]
    return origins


def _entry(x: Any, where: tuple[int, ...]) -> Any:
    """One entry of every draw: of an array ``(*sample, *shape)``."""
    return x[(..., *where)]
