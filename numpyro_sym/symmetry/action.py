"""How one element moves arrays along their axes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .axis import Axis
from .element import Array, Element, namespace
from .units import Units


def act_on_sites(units: Units, element: Element, sites: Mapping[str, Array], lead: int = 0) -> dict[str, Array]:
    """Apply an element wherever its units lie; ``lead`` leading dimensions are those of samples."""
    out = dict(sites)
    for site, axes in units.placements:
        for axis in axes:
            out[site] = act_on_axis(units, element, out[site], axis, lead)
    return out


def act_on_axis(units: Units, element: Element, x: Array, axis: Axis, lead: int) -> Array:
    """Apply an element to one axis of one array: ``new[i] = factor[i]**power * old[perm[i]]``.

    :param element: arrays of shape ``(*sample, n)``.
    :param x: the array, of shape ``(*sample, *site)``.
    :param lead: how many leading sample dimensions there are.
    """
    xp = namespace(x, *element)
    where = axis.axis % (x.ndim - lead) + lead
    length = x.shape[where]
    sample = element.permutation.shape[:-1]

    # Positions of the block's entries after the move, shape (*sample, outer * n * inner).
    base = axis.positions(units.n)[:, :1, :]
    moved = element.permutation[..., None, :, None] * axis.inner + base
    index = _embed(xp, moved.reshape(*sample, -1), np.arange(length), axis.offset)
    x = xp.take_along_axis(x, _along(index, where, x.ndim, lead), where)

    if units.kind == "permutation" or not axis.power or (units.kind == "signed" and axis.power % 2 == 0):
        return x
    factor = element.factor.astype(x.dtype) ** (1 if units.kind == "signed" else axis.power)
    block = xp.broadcast_to(factor[..., None, :, None], (*sample, axis.outer, units.n, axis.inner))
    factors = _embed(xp, block.reshape(*sample, -1), np.ones(length, x.dtype), axis.offset)
    return x * _along(factors, where, x.ndim, lead)


def _embed(xp, block: Array, whole: np.ndarray, offset: int) -> Array:
    """``whole`` with ``block`` written at ``offset`` of its last axis, broadcast over samples."""
    size = block.shape[-1]
    if size == len(whole):
        return block
    ends = [xp.broadcast_to(part, (*block.shape[:-1], len(part))) for part in (whole[:offset], whole[offset + size :])]
    return xp.concatenate([ends[0], block, ends[1]], axis=-1)


def _along(values: Array, where: int, ndim: int, lead: int) -> Array:
    """Shape ``(*sample, length)`` to one that broadcasts along axis ``where`` of the array."""
    shape = list(values.shape[:lead]) + [1] * (ndim - lead)
    shape[where] = values.shape[-1]
    return values.reshape(shape)
