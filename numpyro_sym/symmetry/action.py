"""How one element moves arrays along their axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .axis import Axis, close_axes, open_axes
from .element import Array, Element, namespace
from .labels import act_on_labels
from .stacks import stacked, unstacked
from .units import Units


def act_on_sites(
    units: Units, element: Element, sites: Mapping[str, Array], lead: int = 0
) -> dict[str, Array]:
    """Apply an element wherever its units lie or are named by labels, as far as these sites are
    there.

    :param lead: how many leading dimensions are those of samples.
    """
    stacks = dict(units.stacked)
    if stacks:
        out = act_on_sites(units.on_arrays(), element, stacked(stacks, sites, lead), lead)
        return unstacked(stacks, out, list(sites), lead)
    out = dict(sites)
    for site, axes in units.placements:
        for axis in axes if site in out else ():
            out[site] = act_on_axis(units, element, out[site], axis, lead)
    for site, axis in units.labeled:
        if site in out:
            out[site] = act_on_labels(units, element, out[site], axis, lead)
    return out


def act_on_axis(units: Units, element: Element, x: Array, axis: Axis, lead: int) -> Array:
    """Apply an element to one axis of one array: ``new[i] = factor[i]**power * old[perm[i]]``.

    Where units have a batch, the entries at one place of the batch's axes move by its own element.

    :param element: arrays of shape ``(*sample, *batch, n)``.
    :param x: the array, of shape ``(*sample, *site)``.
    :param lead: how many leading sample dimensions there are.
    """
    if not axis.is_plain:
        plain, steps = axis.resolved(x.ndim - lead).opened()
        moved = act_on_axis(units, element, open_axes(x, steps, lead), plain, lead)
        return close_axes(moved, steps, lead)
    xp = namespace(x, *element)
    own = axis.resolved(x.ndim - lead)
    places = [lead + a for a in (*own.batch_axes, own.axis)]
    where = places[-1]
    length = x.shape[where]
    sets = element.permutation.shape[:-1]  # sample dimensions, then the batch's

    # Positions of the block's entries after the move, shape (*sample, *batch, outer * n * inner).
    base = axis.positions(units.n)[:, :1, :]
    moved = element.permutation[..., None, :, None] * axis.inner + base
    index = _embed(xp, moved.reshape(*sets, -1), np.arange(length), axis.offset)
    x = xp.take_along_axis(x, _along(xp, index, places, x.ndim, lead), where)

    if not units.has_factor_on(axis):
        return x
    factor = units.factor_on(axis, element.factor.astype(x.dtype))
    # (*sample, *batch, n) -> (*sample, *batch, outer, n, inner): one factor for all of a unit
    block = xp.broadcast_to(factor[..., None, :, None], (*sets, axis.outer, units.n, axis.inner))
    factors = _embed(xp, block.reshape(*sets, -1), np.ones(length, x.dtype), axis.offset)
    return x * _along(xp, factors, places, x.ndim, lead)


def _embed(xp: Any, block: Array, whole: np.ndarray, offset: int) -> Array:
    """``whole`` with ``block`` written at ``offset`` of its last axis, broadcast over samples."""
    size = block.shape[-1]
    if size == len(whole):
        return block
    front, rear = whole[:offset], whole[offset + size :]
    sets = block.shape[:-1]
    front = xp.broadcast_to(front, (*sets, len(front)))
    rear = xp.broadcast_to(rear, (*sets, len(rear)))
    return xp.concatenate([front, block, rear], axis=-1)


def _along(xp: Any, values: Array, places: Sequence[int], ndim: int, lead: int) -> Array:
    """Shape ``(*sample, *batch, length)`` to one that broadcasts along the axes ``places`` of the
    array.
    """
    if len(places) > 1:
        # The batch's dimensions and the run, in the order in which the array has them.
        order = np.argsort(places) + lead
        values = xp.transpose(values, (*range(lead), *map(int, order)))
    shape = list(values.shape[:lead]) + [1] * (ndim - lead)
    for place, size in zip(sorted(places), values.shape[lead:], strict=True):
        shape[place] = size
    return values.reshape(shape)
