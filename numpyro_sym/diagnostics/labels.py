"""Labels that change within chains, and variables outside a symmetry that follow them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ..symmetry import Element, Symmetry, Units

#: Ends of names by which NumPyro calls the latent sites behind a reparametrised one.
AUXILIARY = ("_decentered", "_base")


def share_within(elements: Mapping[str, Element]) -> float:
    """The share of draws that are labelled otherwise than most draws of their chain.

    :param elements: units name -> what aligned each draw, arrays ``(chain, draw, n)``.
    """
    parts = []
    for e in elements.values():
        # Of a factor the sign alone is a label.
        parts += [np.asarray(e.permutation, float), np.sign(np.asarray(e.factor))]
    codes = np.concatenate(parts, -1)
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
    x = x.transpose("chain", "draw", ...)
    for u in sym:
        out += [(u.name, x.copy(data=moved)) for moved in _moved(x.values, u, elements[u.name])]
    return out


def _moved(x: np.ndarray, units: Units, element: Element) -> list[np.ndarray]:
    """All that relabelling may mean here: its axes permuted, with signs too, or its values renamed."""
    element = Element(*map(np.asarray, element))
    axes = tuple(axis for axis, length in enumerate(x.shape[2:]) if length == units.n)
    found = []
    if axes:
        # With the units' kind, whose elements these are; without a power of the factor at first.
        permuted = Units(units.name, units.n, axes={"x": axes}, kind=units.kind)
        signed = Units(units.name, units.n, incoming={"x": axes}, kind="signed")
        for one in (permuted, signed) if units.kind == "signed" else (permuted,):
            found.append(Symmetry([one]).act({units.name: element}, {"x": x})["x"])
    if x.dtype.kind in "iu" and x.min() >= 0 and x.max() < units.n:
        # Unit j lies in the slot i with permutation[i] = j.
        slot = np.argsort(element.permutation, -1)
        flat = x.reshape(*x.shape[:2], -1).astype(int)
        found.append(np.take_along_axis(slot, flat, -1).reshape(x.shape))
    return found
