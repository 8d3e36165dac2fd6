"""Elements applied to arrays on the host, in whole rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ...symmetry import Axis, Element, Symmetry, Units, act_on_axis

Elements = Mapping[str, Element]


def act_on_draws(
    sym: Symmetry, elements: Elements, draws: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """``sym.act`` for one leading dimension, faster."""
    out = dict(draws)
    for site in sym.sites:
        moves: list[tuple[Units, Element, Axis]] = []
        for u in sym.in_order_of_action:
            moves += [(u, elements[u.name], axis) for axis in u.axes.get(site, ())]
        out[site] = move(draws[site], moves)
    return out


def move(
    x: np.ndarray, moves: Sequence[tuple[Units, Element, Axis]], moment: int = 1
) -> np.ndarray:
    """An array moved along several of its axes.

    :param x: ``(batch, *site)``, or ``(1, *site)`` for one array moved in many ways.
    :param moves: units, their element ``(batch, *units.shape)``, and the axis of ``site`` on which
        it acts, in the order in which they act.
    :param moment: the array holds this power of the values: so act the factors.
    :returns: an array ``(batch, *site)``.
    """
    batch = len(moves[0][1].permutation)
    if any(units.batch for units, _, _ in moves):
        return _moved_in_turn(np.broadcast_to(x, (batch, *x.shape[1:])), moves, moment)
    ndim = x.ndim - 1
    index: dict[int, np.ndarray] = {}
    factors: dict[int, np.ndarray] = {}
    for units, element, axis in moves:
        where = axis.axis % ndim
        new = _positions(units, element, axis, x.shape[where + 1])
        if where in index:
            # Where an entry comes from that other units had moved before.
            new = np.take_along_axis(index[where], new, -1)
        index[where] = new
        if units.has_factor_on(axis):
            ones = factors.get(where, np.ones((batch, x.shape[where + 1]), x.dtype))
            powered = Element(element.permutation, element.factor**moment)
            factors[where] = act_on_axis(units, powered, ones, replace(axis, axis=0), 1)
    out = _gathered(x, index, batch)
    for where, f in factors.items():
        out = out * _along(f, where, ndim)
    return out


def _moved_in_turn(
    x: np.ndarray, moves: Sequence[tuple[Units, Element, Axis]], moment: int
) -> np.ndarray:
    """One axis after the other: where units have a batch, an entry's move on one depends on its
    place on others.
    """
    for units, element, axis in moves:
        x = act_on_axis(units, Element(element.permutation, element.factor**moment), x, axis, 1)
    return x


def inverse_permutation(permutation: np.ndarray) -> np.ndarray:
    """Of each row, ints ``(*batch, n)``."""
    rows = permutation.reshape(-1, permutation.shape[-1])
    back = np.empty_like(rows)
    # back[row, permutation[row, i]] = i
    back[np.arange(len(back))[:, None], rows] = np.arange(back.shape[-1])
    return back.reshape(permutation.shape)


def _positions(units: Units, element: Element, axis: Axis, length: int) -> np.ndarray:
    """Where each entry of an axis comes from, ``(batch, length)``."""
    if units.n == length:
        return element.permutation
    own = np.broadcast_to(np.arange(length), (len(element.permutation), length))
    return act_on_axis(units, element, own, replace(axis, axis=0, power=0), 1)


def _gathered(x: np.ndarray, index: Mapping[int, np.ndarray], batch: int) -> np.ndarray:
    """One axis after the other, each brought to the front, where whole rows are copied."""
    for where, rows in index.items():
        front = to_front(x, where + 1)  # (batch, length, *rest)
        if batch == 1 and not front.flags.c_contiguous:  # one large draw: no copy but the result
            x = x.take(rows[0], axis=where + 1)
            continue
        n, rest = front.shape[1], front.shape[2:]
        if len(x) > 1:
            # Where each draw's rows begin in the flat array.
            rows = rows + n * np.arange(batch)[:, None]
        taken = front.reshape(len(x) * n, -1).take(rows, axis=0).reshape(batch, n, *rest)
        x = taken.transpose(0, *range(2, where + 2), 1, *range(where + 2, x.ndim))
    return x


def to_front(x: np.ndarray, axis: int) -> np.ndarray:
    """A view with one axis directly after the draws'."""
    return x.transpose(0, axis, *range(1, axis), *range(axis + 1, x.ndim))


def _along(values: np.ndarray, where: int, ndim: int) -> np.ndarray:
    """``(batch, length)`` to a shape that broadcasts along one axis of ``(batch, *site)``."""
    shape = [1] * ndim
    shape[where] = values.shape[1]
    return values.reshape(len(values), *shape)  # (batch, 1, .., length, .., 1)
