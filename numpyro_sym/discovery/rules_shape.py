"""Rules of primitives that move entries about: transposes, reshapes, slices, concatenations, look-ups."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from .characters import ONE
from .inference import Value, Walk, opaque, register_rule
from .layout import Layout, Occ, Var


@register_rule("transpose")
def transpose(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    order = eqn.params["permutation"]
    return [walk.value([x.shape[i] for i in order], [x.axes[i] for i in order], x.char)]


@register_rule("broadcast_in_dim")
def broadcast_in_dim(walk: Walk, eqn: Any, x: Value, *_: Any) -> list[Value]:
    axes: list[Layout | None] = [None] * len(eqn.params["shape"])
    for i, d in enumerate(eqn.params["broadcast_dimensions"]):
        axes[d] = x.axes[i]
    return [walk.value(eqn.params["shape"], axes, x.char)]


@register_rule("squeeze", "reshape")
def reshape(walk: Walk, eqn: Any, x: Value, *_: Any) -> list[Value]:
    """Neighbouring axes whose lengths multiply to the same are flattened together and cut anew."""
    new = eqn.outvars[0].aval.shape
    axes: list[Layout | None] = []
    for old_axes, new_axes in _groups(x.shape, new):
        flat = walk.product([(x.shape[i], x.axes[i]) for i in old_axes])
        long = [i for i in new_axes if new[i] > 1]
        pieces = [flat] if len(long) == 1 else walk.unflatten(flat, [new[i] for i in long])
        by_axis = dict(zip(long, pieces, strict=True)) if long else {}
        axes += [by_axis.get(i) for i in new_axes]
    return [walk.value(new, axes, x.char)]


def _groups(old: Sequence[int], new: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    groups, i, j = [], 0, 0
    while i < len(old) or j < len(new):
        a, b = ([i] if i < len(old) else []), ([j] if j < len(new) else [])
        i, j = i + len(a), j + len(b)
        while prod(old[k] for k in a) != prod(new[k] for k in b):
            if prod(old[k] for k in a) < prod(new[k] for k in b):
                a.append(i)
                i += 1
            else:
                b.append(j)
                j += 1
        groups.append((a, b))
    return groups


@register_rule("rev")
def rev(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    return [walk.retold(x, "its order is reversed", {d: x.shape[d] for d in eqn.params["dimensions"]})]


@register_rule("slice")
def slice_(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    p = eqn.params
    strides = p["strides"] or (1,) * len(x.shape)
    for axis, (start, stop, stride) in enumerate(zip(p["start_indices"], p["limit_indices"], strides, strict=True)):
        if stride == 1:
            x = take_run(walk, x, axis, start, stop)
        else:
            sizes = {axis: len(range(start, stop, stride))}
            x = walk.retold(x, f"every {stride}th position is used apart", sizes, opaque=True)
    return [x]


def take_run(walk: Walk, x: Value, axis: int, start: int, stop: int) -> Value:
    """Positions ``start .. stop - 1`` along one axis."""
    shape, axes = list(x.shape), list(x.axes)
    axes[axis] = walk.run(axes[axis], start, stop)
    shape[axis] = stop - start
    return walk.value(shape, axes, x.char)


@register_rule("split")
def split(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    edges = np.cumsum([0, *eqn.params["sizes"]]).tolist()
    return [take_run(walk, x, eqn.params["axis"], a, b) for a, b in pairwise(edges)]


@register_rule("unstack")
def unstack(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    k = eqn.params["axis"]
    pieces = [take_run(walk, x, k, i, i + 1) for i in range(x.shape[k])]
    return [walk.value(p.shape[:k] + p.shape[k + 1 :], p.axes[:k] + p.axes[k + 1 :], p.char) for p in pieces]


@register_rule("stack")
def stack(walk: Walk, eqn: Any, *inputs: Any) -> list[Value]:
    k = eqn.params["axis"]
    values = walk.values(inputs)
    pieces = [v._replace(shape=(*v.shape[:k], 1, *v.shape[k:]), axes=(*v.axes[:k], None, *v.axes[k:])) for v in values]
    return [concatenated(walk, pieces, k)]


@register_rule("concatenate")
def concatenate(walk: Walk, eqn: Any, *inputs: Any) -> list[Value]:
    return [concatenated(walk, walk.values(inputs), eqn.params["dimension"])]


def concatenated(walk: Walk, pieces: Sequence[Value], dim: int) -> Value:
    """A sum of runs along ``dim``. A piece of length 1 keeps its factor as its position's own."""
    pieces = [p for p in pieces if p.shape[dim]]
    active = [p for p in pieces if not p.zero] or pieces[:1]
    shape = list(pieces[0].shape)
    shape[dim] = sum(p.shape[dim] for p in pieces)
    if len(pieces) == 1:
        return pieces[0]
    axes = [walk.tie([p.axes[i] for p in active]) if i != dim else None for i in range(len(shape))]
    long = [p.char for p in active if p.shape[dim] > 1]
    char = walk.same(None, long) if long else ONE
    layout: Layout = ()
    for p in pieces:
        if p.shape[dim] == 1:
            own = walk.unknown_char() if p.zero else p.char.times(char, -1)
            layout += ((Occ(Var(1), own),),)
        elif p.zero:
            layout += ((Occ(Var(p.shape[dim]), walk.unknown_char()),),)
        else:
            layout += p.axes[dim] or walk.fresh(p.shape[dim]) or ()
    axes[dim] = layout
    return walk.value(shape, axes, char)


@register_rule("pad")
def pad(walk: Walk, eqn: Any, x: Any, fill: Any) -> list[Value]:
    """A concatenation with constants; zeros answer to any factor."""
    value, config = walk.values([x])[0], eqn.params["padding_config"]
    if isinstance(fill, Value) or any(low < 0 or high < 0 or inside for low, high, inside in config):
        return list(opaque(walk, eqn, x, fill))
    for dim, (low, high, _) in enumerate(config):
        ends = []
        for n in (low, high):
            shape = (*value.shape[:dim], n, *value.shape[dim + 1 :])
            ends.append(walk.constant(np.broadcast_to(fill, shape)))
        value = concatenated(walk, [ends[0], value, ends[1]], dim)
    return [value]


@register_rule("dynamic_slice")
def dynamic_slice(walk: Walk, eqn: Any, x: Any, *starts: Any) -> list[Value]:
    """A slice where its start is constant; else the axis is told apart by position."""
    (value,) = walk.values([x])
    for axis, (start, size) in enumerate(zip(starts, eqn.params["slice_sizes"], strict=True)):
        if not isinstance(start, Value):
            begin = int(np.clip(start, 0, value.shape[axis] - size))
            value = take_run(walk, value, axis, begin, begin + size)
            continue
        walk.vanish(start)
        if size < value.shape[axis]:
            value = walk.retold(value, "a position is looked up", {axis: size})
    return [value]


@register_rule("gather")
def gather(walk: Walk, eqn: Any, x: Any, indices: Any) -> list[Value]:
    """Axes taken whole pass; one that is looked up passes where its indices are a run."""
    dims, sizes = eqn.params["dimension_numbers"], eqn.params["slice_sizes"]
    value, where = walk.values([x, indices])
    looked_up, dropped = list(dims.start_index_map), [*dims.collapsed_slice_dims, *dims.operand_batching_dims]
    out = eqn.outvars[0].aval.shape
    batch = [i for i in range(len(out)) if i not in dims.offset_dims]
    axes: list[Layout | None] = [None] * len(out)

    if eqn.params.get("fill_value") not in (None, 0):
        walk.vanish(value)
    run = _run_of(indices, sizes, dims, value.shape) if isinstance(indices, np.ndarray) else None
    if run is not None:
        start, length = run
        axis = looked_up[0]
        value = take_run(walk, value, axis, start, start + length)
        if len(batch) == 1:
            axes[batch[0]] = value.axes[axis]
    else:
        text = "positions are looked up one by one"
        walk.kill(where, text)
        partial = [i for i in range(len(value.shape)) if i in looked_up or i in dropped]
        walk.kill(value, text, partial, opaque=isinstance(indices, np.ndarray))
        for i in batch:
            axes[i] = walk.fresh(out[i], walk.because(text))
    windows = [i for i in range(len(value.shape)) if i not in dropped]
    for i, axis in zip(dims.offset_dims, windows, strict=True):
        dead = run is None and axis in looked_up
        reason = walk.because("a window is looked up")
        axes[i] = walk.fresh(out[i], reason) if dead else walk.run(value.axes[axis], 0, out[i])
    return [walk.value(out, axes, value.char)]


def _run_of(indices: np.ndarray, sizes: Sequence[int], dims: Any, shape: Sequence[int]) -> tuple[int, int] | None:
    """Where one axis is looked up by indices that count up by one: the first of them and how many."""
    axes = dims.start_index_map
    if len(axes) != 1 or dims.operand_batching_dims or indices.ndim > 2 or indices.size == 0:
        return None
    flat = indices.reshape(-1)
    single = axes[0] in dims.collapsed_slice_dims
    if np.any(np.diff(flat) != 1) or not (single or flat.size == 1 == indices.ndim):
        return None
    start, length = int(flat[0]), int(flat.size if single else sizes[axes[0]])
    return (start, length) if 0 <= start <= shape[axes[0]] - length else None
