"""Sites that are the units of others, one each, as one array and back."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np

from .element import Array, namespace
from .errors import SymmetryError

Stacks = Mapping[str, tuple[str, ...]]


def as_stacks(who: str, given: Any) -> dict[str, tuple[str, ...]]:
    """Arrays, each with the names of its sites.

    :raises SymmetryError: where it is no dict of several names each.
    """
    expected = f'{who}: stacked is a dict, array -> names of its sites, {{"mu": ("mu1", "mu2")}}'
    if not isinstance(given, Mapping):
        raise SymmetryError(f"{expected}; got {given!r}.")
    stacks = {}
    for array, sites in given.items():
        fits = isinstance(sites, (tuple, list)) and sites and isinstance(array, str) and array
        if not fits or not all(isinstance(site, str) and site for site in sites):
            raise SymmetryError(f"{expected}; got {sites!r} for {array!r}.")
        stacks[array] = tuple(sites)
    return stacks


def why_not_stacked(
    who: str, stacks: Stacks, placed: Container[str], labeled: Container[str]
) -> str | None:
    """Why sites are no stacks beside others; ``None`` where they are."""
    seen: set[str] = set()
    for array, sites in stacks.items():
        for site in sites:
            if site in seen:
                return f"{who}: site {site!r} is stacked twice."
            seen.add(site)
            if site in placed or site in labeled or site in stacks:
                return (
                    f"{who}: site {site!r} is stacked into {array!r}, and named by itself, too. "
                    "Name it once."
                )
    return None


def stacked(stacks: Stacks, sites: Mapping[str, Array], lead: int = 0) -> dict[str, Array]:
    """Sites with stacks in place of those that are stacked: each with an axis more, the first.

    :param sites: site name -> array of shape ``(*sample, *site)``; stacks of which none is there
        are left out.
    :param lead: how many leading sample dimensions there are.
    :raises SymmetryError: where a part of a stack is missing, or shapes or types differ.
    """
    out = dict(sites)
    for array, names in stacks.items():
        there = [name for name in names if name in sites]
        if not there:
            continue
        shapes = {name: tuple(getattr(sites[name], "shape", ())) for name in there}
        _refuse_incomplete(array, names, shapes, is_taken=array in sites)
        parts = [out.pop(name) for name in names]
        _refuse_unlike(names, parts, lead)
        # Arrays of dask are stacked by NumPy's function, lazily.
        xp = np if any(hasattr(part, "dask") for part in parts) else namespace(*parts)
        out[array] = xp.stack(parts, lead)
    return out


def unstacked(
    stacks: Stacks, sites: Mapping[str, Array], like: Sequence[str], lead: int = 0
) -> dict[str, Array]:
    """The inverse of :func:`stacked`.

    :param like: the names of the sites, in the order in which they are wanted; others follow.
    """
    out = dict(sites)
    for array, names in stacks.items():
        if array not in out:
            continue
        x = out.pop(array)
        for i, name in enumerate(names):
            out[name] = x[(*[slice(None)] * lead, i)]
    in_order = {name: out[name] for name in like if name in out}
    return {**in_order, **out}


def stacked_shapes(
    stacks: Stacks, shapes: Mapping[str, tuple[int, ...]], lead: int = 0
) -> dict[str, tuple[int, ...]]:
    """Shapes of sites after they were stacked.

    :raises SymmetryError: where a part of a stack is missing, or shapes differ.
    """
    out = dict(shapes)
    for array, names in stacks.items():
        there = {name: out.pop(name) for name in names if name in out}
        if not there:
            continue
        _refuse_incomplete(array, names, there, is_taken=array in out)
        shape = tuple(next(iter(there.values())))
        out[array] = (*shape[:lead], len(names), *shape[lead:])
    return out


def _refuse_unlike(names: Sequence[str], parts: Sequence[Array], lead: int) -> None:
    """Raise unless the arrays of a stack have one type and all sample dimensions: as one array they
    would all be of the widest.
    """
    types = {
        name: str(x.dtype) for name, x in zip(names, parts, strict=True) if hasattr(x, "dtype")
    }
    if len(set(types.values())) > 1:
        raise SymmetryError(
            f"The sites {', '.join(names)} are the entries of one array (stacked), and must have "
            f"one type; got {types}."
        )
    if np.ndim(parts[0]) < lead:
        raise SymmetryError(
            f"Site {names[0]!r} has shape {np.shape(parts[0])}; expected {lead} leading sample "
            "dimensions."
        )


def _refuse_incomplete(
    array: str, names: Sequence[str], shapes: Mapping[str, tuple[int, ...]], is_taken: bool
) -> None:
    """Raise unless all sites of a stack are there, with one shape, and its name is free.

    :param shapes: of those that are there.
    """
    if len(shapes) < len(names) or len(set(shapes.values())) > 1 or is_taken:
        raise SymmetryError(
            f"The sites {', '.join(names)} are the entries of {array!r} (stacked), and must all be "
            f"there, with one shape, and beside no site {array!r}; got {shapes}."
        )
