"""How one element moves labels: each goes where its unit goes."""

from __future__ import annotations

from math import prod

import jax

from .axis import Axis, close_axes, open_axes
from .element import Array, Element, namespace
from .units import Units


def act_on_labels(units: Units, element: Element, labels: Array, axis: Axis, lead: int) -> Array:
    """Apply an element to labels of its units: ``new = inverse(permutation)[old]``.

    Unit ``permutation[i]`` goes to slot ``i``, and so does its label. Where units have a batch, the
    labels at one place of the batch's axes are moved by its own permutation.

    :param element: arrays of shape ``(*sample, *batch, n)``.
    :param labels: integers ``0 .. n-1`` of shape ``(*sample, *site)``; of traced arrays, other
        numbers stay.
    :param axis: on which axes of the site the batch runs.
    :param lead: how many leading sample dimensions there are.
    :returns: an array of the same shape and dtype.
    """
    if not axis.is_plain:
        plain, steps = axis.resolved(labels.ndim - lead).opened()
        moved = act_on_labels(units, element, open_axes(labels, steps, lead), plain, lead)
        return close_axes(moved, steps, lead)
    xp = namespace(labels, element.permutation)
    sent_to = xp.argsort(element.permutation, -1)
    source = [lead + b % (labels.ndim - lead) for b in axis.batch_axes]
    target = list(range(lead, lead + len(source)))

    # (*sample, *batch, the labels of one set)
    by_set = xp.moveaxis(labels, source, target)
    sets = by_set.shape[: lead + len(source)]
    rows = by_set.reshape(*sets, prod(by_set.shape[len(sets) :])).astype(int)
    if isinstance(rows, jax.core.Tracer):
        inside = (rows >= 0) & (rows < units.n)
        moved = xp.take_along_axis(sent_to, xp.where(inside, rows, 0), -1)
        moved = xp.where(inside, moved, rows)
    else:
        moved = xp.take_along_axis(sent_to, rows, -1)
    return xp.moveaxis(moved.astype(labels.dtype).reshape(by_set.shape), target, source)
