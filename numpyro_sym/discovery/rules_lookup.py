"""The rule of look-ups: ``mu[z]``, ``transition[z, :]``, ``beta[annotator, z]``, a slice at a
constant place.

Where the indices of an axis count up along one dimension of theirs, and are the same along all
others, that axis comes out along that dimension, position by position. So it is where ``z`` holds
all states of a discrete site.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .exponents import ONE, Exponents
from .inference import Value, Walk, register_rule
from .layout import Layout, Var
from .rules_shape import take_run

TEXT = "positions are looked up one by one"

#: Indices of one axis: an array where they are known; else their type.
Column = np.ndarray | Value


class Run(NamedTuple):
    """Positions ``start .. stop - 1`` of an axis, one after the other along a dimension of the
    indices.

    :param along: the dimension; ``None`` where the same position is looked up everywhere.
    """

    along: int | None
    start: int
    stop: int


@register_rule("gather")
def gather(walk: Walk, eqn: Any, x: Value, indices: Value) -> Value:
    """Axes taken whole pass, and those whose indices are a run; others are told apart."""
    dims, sizes = eqn.params["dimension_numbers"], eqn.params["slice_sizes"]
    out = eqn.outvars[0].aval.shape
    # One for each dimension of the indices.
    batched = [i for i in range(len(out)) if i not in dims.offset_dims]
    gone = (*dims.collapsed_slice_dims, *dims.operand_batching_dims)
    windows = [axis for axis in range(len(x.shape)) if axis not in gone]
    offset = dict(zip(windows, dims.offset_dims, strict=True))
    columns, runs = {}, {}
    for c, axis in enumerate(dims.start_index_map):
        columns[axis] = _column(indices, c)
        runs[axis] = _run_of(walk, columns[axis], sizes[axis], x.shape[axis])
    if eqn.params.get("fill_value") not in (None, 0) and None in runs.values():
        walk.vanish(x)  # what lies outside is filled
    comes_out: dict[int, list[Layout | None]] = {i: [] for i in range(len(out))}
    for axis, run in runs.items():
        to = offset.get(axis)
        if run is None or (to is not None and run.along is not None):
            _told_apart(walk, x, axis, columns[axis])
            varies = [batched[d] for d in _varying(columns[axis])]
            if to is not None:
                varies.append(to)
            for i in varies:
                comes_out[i].append(walk.fresh(out[i], walk.because(TEXT)))
        elif run.along is not None:
            comes_out[batched[run.along]].append(walk.run(x.axes[axis], run.start, run.stop))
        else:
            x = take_run(walk, x, axis, run.start, run.stop)
            if to is not None:
                comes_out[to].append(x.axes[axis])
    for axis, d in zip(dims.operand_batching_dims, dims.start_indices_batching_dims, strict=True):
        comes_out[batched[d]].append(x.axes[axis])
    for axis, i in offset.items():
        if axis not in columns:
            comes_out[i].append(walk.run(x.axes[axis], 0, out[i]))
    axes = [walk.merge(comes_out[i], _multiplied) for i in range(len(out))]
    return walk.value(out, axes, x.exponents)


def _multiplied(var: Var, each: list[Exponents]) -> Exponents:
    """Axes that are looked up together, as on a diagonal: the factors of all."""
    total = ONE
    for exponents in each:
        total = total.times(exponents)
    return total


def _column(indices: Value, c: int) -> Column:
    """The indices of one axis, without their last dimension."""
    if indices.known is not None:
        return np.asarray(indices.known)[..., c]
    start = 0
    for piece in indices.pieces:
        stop = start + piece.shape[-1]
        if start <= c < stop:
            return _column(piece, c - start)
        start = stop
    return Value(indices.shape[:-1], indices.axes[:-1], indices.exponents)


def _run_of(walk: Walk, column: Column, size: int, length: int) -> Run | None:
    """The run that indices are, if they are one within an axis of this length.

    That several indices are one and the same counts as a coincidence of the data where the walk
    asks for any data.

    :param size: how many positions are taken at each index.
    """
    if isinstance(column, Value) or column.size == 0:
        return None
    start = int(column.flat[0])
    varying = _varying(column)
    if len(varying) > 1 or (varying and size > 1):
        return None
    along: int | None = None
    stop = start + size
    if varying:
        (along,) = varying
        stop = start + column.shape[along]
        counted = np.moveaxis(column, along, -1)
        if np.any(counted != np.arange(start, stop)):
            return None
    elif walk.any_data:
        # Steps of zero in memory: one index, broadcast, and no coincidence.
        steps = zip(column.shape, column.strides, strict=True)
        if any(n > 1 and step for n, step in steps):
            return None
    if start < 0 or stop > length:
        return None
    return Run(along, start, stop)


def _varying(column: Column) -> Sequence[int]:
    """Dimensions along which indices are not all the same."""
    if isinstance(column, Value):
        return [d for d, axis in enumerate(column.axes) if axis is not None]
    return [d for d in range(column.ndim) if np.any(column != column.take([0], d))]


def _told_apart(walk: Walk, x: Value, axis: int, column: Column) -> None:
    if isinstance(column, Value):
        walk.kill(column, TEXT)
    # What a latent value chooses, evaluation might never see chosen otherwise.
    walk.kill(x, TEXT, [axis], opaque=not isinstance(column, Value))
