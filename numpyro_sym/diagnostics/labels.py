"""Labels that change within chains, and variables outside a symmetry that follow them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..symmetry import Element, Symmetry, Units

#: Ends of names by which NumPyro calls the latent sites behind a reparametrised one.
AUXILIARY = ("_decentered", "_base")


def share_within(elements: Mapping[str, Element]) -> float:
    """The share of draws that are labelled otherwise than most draws of their chain.

    :param elements: units name -> what aligned each draw, arrays ``(chain, draw, n)``.
    """
    rows = [np.asarray(part, float) for e in elements.values() for part in e]
    codes = np.concatenate([np.sign(part) if i % 2 else part for i, part in enumerate(rows)], -1)
    most = 0
    for chain in codes:
        _, counts = np.unique(chain, axis=0, return_counts=True)
        most += int(counts.max())
    return 1 - most / (codes.shape[0] * codes.shape[1])


def runs_over_units(x: xr.DataArray, sym: Symmetry) -> bool:
    """Whether a variable may name single units: integers, auxiliary sites, an axis as long as units are many."""
    if x.dtype.kind in "iub" or str(x.name).endswith(AUXILIARY):
        return True
    lengths = {u.n for u in sym} | {a.length(u.n) for u in sym for _, axs in u.placements for a in axs}
    return any(x.sizes[dim] in lengths for dim in x.dims if dim not in ("chain", "draw"))


def relabelled(x: xr.DataArray, sym: Symmetry, elements: Mapping[str, Element]) -> list[tuple[str, xr.DataArray]]:
    """The variable under the labels of each ``Units`` that it may name: by an axis, or as integers.

    :returns: pairs of a units name and the variable, moved.
    """
    out = []
    values = x.transpose("chain", "draw", ...)
    for u in sym:
        moved = _moved(values.values, u, elements[u.name])
        out += [(u.name, values.copy(data=m)) for m in moved]
    return out


def _moved(x: np.ndarray, units: Units, element: Element) -> list[Any]:
    permutation = np.asarray(element.permutation)
    factor = np.asarray(element.factor)
    shape = x.shape[2:]
    axes = [axis for axis, length in enumerate(shape) if length == units.n]
    found = []
    if axes:
        for power in (0, 1) if units.kind == "signed" else (0,):
            plain = units.with_kind("signed" if power else "permutation")
            placed = {"x": tuple(axes)}
            one = Units(
                units.name,
                units.n,
                axes=None if power else placed,
                incoming=placed if power else None,
                kind=plain.kind,
            )
            found.append(Symmetry([one]).act({units.name: Element(permutation, factor)}, {"x": x})["x"])
    if x.dtype.kind in "iu" and x.size and x.min() >= 0 and x.max() < units.n:
        slot = np.argsort(permutation, -1)
        flat = x.reshape(*x.shape[:2], -1).astype(int)
        found.append(np.take_along_axis(slot, flat, -1).reshape(x.shape))
    return found
