"""Scales: a symmetry of the likelihood that the prior breaks, so used only where asked
for by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..symmetry import Element, Symmetry, SymmetryError, Units
from .labels import in_aligned_order


def used_symmetry(sym: Symmetry, scales: str | Sequence[str], who: str) -> Symmetry:
    """The symmetry by permutations and signs, with the scales of the named ``Units`` alone.

    :param sym: a symmetry of any kinds.
    :param scales: names of scaled ``Units`` whose scales are used too.
    :param who: the name that an error begins with.
    :raises SymmetryError: where a name is not that of scaled ``Units``.

    >>> from numpyro_sym import mlp
    >>> used_symmetry(mlp(["w1", "w2"], [3], kind="scaled"), (), "rebasin").order
    6
    """
    names = (scales,) if isinstance(scales, str) else tuple(scales)
    there = [u.name for u in sym if u.has_scales]
    for name in names:
        if name not in there:
            raise SymmetryError(
                f"{who}: scales must name Units of kind 'scaled'; got {name!r}, and those there "
                f"are {there}."
            )
    if set(there) <= set(names):
        return sym
    units = []
    for u in sym:
        if u.has_scales and u.name not in names:
            u = u.with_kind("permutation")
        units.append(u)
    return Symmetry(units, notes=sym.notes)


def log_scales(
    draws: Mapping[str, np.ndarray], sym: Symmetry, elements: Mapping[str, Element]
) -> tuple[xr.Dataset, xr.Dataset]:
    """Each unit's scale, as the draws came and in the order of its aligned units.

    Half the logarithm of the ratio of the norms of what comes in and what goes out: the one
    direction in which a rescaling moves.

    :param draws: site name -> array ``(chain, draw, *site)``.
    :param elements: what aligned them; only the permutations are looked at.
    :returns: two Datasets with a variable ``scale of <units>`` each.
    """
    raw: dict[str, Any] = {}
    aligned: dict[str, Any] = {}
    for u in sym:
        if not u.has_scales:
            continue
        scale = _log_scale(u, draws)
        name = f"scale of {u.name}"
        sets = [f"{u.name}_scale_set_{i}" for i in range(len(u.batch))]
        dims = ("chain", "draw", *sets, f"{u.name}_scale_unit")
        raw[name] = (dims, scale)
        aligned[name] = (dims, in_aligned_order(scale, u, sym, elements))
    return xr.Dataset(raw), xr.Dataset(aligned)


def _log_scale(units: Units, draws: Mapping[str, np.ndarray]) -> np.ndarray:
    tiny = np.finfo(float).tiny
    total: Any = 0.0
    for sign in (1, -1):
        squares: Any = 0.0
        for site, axs in units.placements:
            x = np.asarray(draws[site], float)
            for axis in axs:
                if axis.power and np.sign(axis.power) == sign:
                    # (chain, draw, *batch, unit)
                    squares = squares + np.square(axis.blocks(x, units.n, lead=2)).sum(-1)
        if np.ndim(squares):
            total = total + sign * np.log(np.maximum(squares, tiny)) / 4
    some = np.asarray(draws[units.sites[0]])
    return np.broadcast_to(total, (*some.shape[:2], *units.shape))
