"""Elements applied to arrays on the host: one gather an array, however many axes move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..symmetry import Axis, Element, Symmetry, Units, act_on_axis

Elements = Mapping[str, Element]


def act_on_draws(sym: Symmetry, elements: Elements, draws: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """``sym.act`` for one leading dimension, faster."""
    out = dict(draws)
    for site in sym.sites:
        moves = [(u, elements[u.name], axis) for u in sym for axis in u.axes.get(site, ())]
        out[site] = move(draws[site], moves)
    return out


def move(x: np.ndarray, moves: Sequence[tuple[Units, Element, Axis]], moment: int = 1) -> np.ndarray:
    """An array moved along several of its axes.

    :param x: ``(batch, *site)``, or ``(1, *site)`` for one array moved in many ways.
    :param moves: units, their element ``(batch, n)``, and the axis of ``site`` on which it acts.
    :param moment: the array holds this power of the values: so act the factors.
    :returns: an array ``(batch, *site)``.
    """
    batch = len(moves[0][1].permutation)
    ndim = x.ndim - 1
    index: dict[int, np.ndarray] = {}
    factors: dict[int, np.ndarray] = {}
    for units, element, axis in moves:
        where = axis.axis % ndim
        length = x.shape[where + 1]
        flat = replace(axis, axis=0)
        before = index.get(where, np.broadcast_to(np.arange(length), (batch, length)))
        index[where] = act_on_axis(units, element, before, replace(flat, power=0), 1)
        if units.kind != "permutation" and axis.power:
            ones = factors.get(where, np.ones((batch, length), x.dtype))
            powered = Element(element.permutation, element.factor**moment)
            factors[where] = act_on_axis(units, powered, ones, flat, 1)
    out = _gather(x, index, batch)
    for where, f in factors.items():
        out = out * f.reshape(batch, *(f.shape[1] if i == where else 1 for i in range(ndim)))
    return out


def _gather(x: np.ndarray, index: Mapping[int, np.ndarray], batch: int) -> np.ndarray:
    site = x.shape[1:]
    if len(index) == 1 and len(x) == 1:  # whole rows of one array
        ((where, rows),) = index.items()
        first = np.ascontiguousarray(np.moveaxis(x[0], where, 0))
        return np.moveaxis(np.take(first, rows, axis=0), 1, where + 1)
    strides = np.cumprod((1, *site[:0:-1]), dtype=np.intp)[::-1]
    where_to = np.arange(batch).reshape(-1, *(1 for _ in site)) * (np.prod(site, dtype=np.intp) if len(x) > 1 else 0)
    for i, length in enumerate(site):
        along = index.get(i, np.arange(length)[None]) * strides[i]
        where_to = where_to + along.reshape(len(along), *(length if k == i else 1 for k in range(len(site))))
    return np.take(x, where_to, mode="clip")
