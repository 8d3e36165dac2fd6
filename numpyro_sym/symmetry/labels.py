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
    rows = labels_by_set(labels, axis, lead).astype(int)
    if isinstance(rows, jax.core.Tracer):
        inside = (rows >= 0) & (rows < units.n)
        moved = xp.take_along_axis(sent_to, xp.where(inside, rows, 0), -1)
        moved = xp.where(inside, moved, rows)
    else:
        moved = xp.take_along_axis(sent_to, rows, -1)
    # (*sample, *batch, entries) -> (*sample, *batch, *the other axes) -> the site's own order
    source, target = _places(labels, axis, lead)
    in_front = xp.moveaxis(labels, source, target).shape
    return xp.moveaxis(moved.astype(labels.dtype).reshape(in_front), target, source)


def labels_by_set(labels: Array, axis: Axis, lead: int) -> Array:
    """The labels of each set of a batch, of shape ``(*sample, *batch, entries)``.

    :param labels: of shape ``(*sample, *site)``.
    :param axis: on which axes of the site the batch runs.
    :param lead: how many leading sample dimensions there are.
    """
    if not axis.is_plain:
        plain, steps = axis.resolved(labels.ndim - lead).opened()
        return labels_by_set(open_axes(labels, steps, lead), plain, lead)
    source, target = _places(labels, axis, lead)
    in_front = namespace(labels).moveaxis(labels, source, target)
    sets = in_front.shape[: lead + len(source)]
    return in_front.reshape(*sets, prod(in_front.shape[len(sets) :]))


def _places(labels: Array, axis: Axis, lead: int) -> tuple[list[int], list[int]]:
    """Where the batch lies in an array, and where it stands in front of the rest."""
    source = [lead + b % (labels.ndim - lead) for b in axis.batch_axes]
    return source, list(range(lead, lead + len(source)))
