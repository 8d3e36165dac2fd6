"""Rules of primitives that move entries about: transposes, reshapes, slices, concatenations,
look-ups.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from .exponents import ONE
from .inference import WHOLE, Value, Walk, opaque, register_rule
from .layout import Layout, Occurrence, Var
from .rules_linear import flattened


@register_rule("transpose")
def transpose(walk: Walk, eqn: Any, x: Value) -> Value:
    order = eqn.params["permutation"]
    return walk.value([x.shape[i] for i in order], [x.axes[i] for i in order], x.exponents)


@register_rule("broadcast_in_dim")
def broadcast_in_dim(walk: Walk, eqn: Any, x: Value, *_: Value) -> Value:
    shape = eqn.params["shape"]
    where = {d: x.axes[i] for i, d in enumerate(eqn.params["broadcast_dimensions"])}
    return walk.value(shape, [where.get(d) for d in range(len(shape))], x.exponents)


@register_rule("squeeze", "reshape")
def reshape(walk: Walk, eqn: Any, x: Value, *_: Value) -> Value:
    """Neighboring axes whose lengths multiply to the same are flattened together and cut anew."""
    new = eqn.outvars[0].aval.shape
    order = (eqn.primitive.name == "reshape" and eqn.params["dimensions"]) or range(len(x.shape))
    x = walk.value([x.shape[i] for i in order], [x.axes[i] for i in order], x.exponents)
    axes: dict[int, Layout | None] = {}
    for old_axes, new_axes in _groups(x.shape, new):
        flat = flattened(walk, [(x.shape[i], x.axes[i]) for i in old_axes])
        parts = [flat] if len(new_axes) == 1 else walk.unflatten(flat, [new[i] for i in new_axes])
        axes |= zip(new_axes, parts, strict=True)
    return walk.value(new, [axes.get(i) for i in range(len(new))], x.exponents)


def _groups(old: Sequence[int], new: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Shortest runs of axes longer than 1, of equal product."""
    groups: list[tuple[list[int], list[int]]] = []
    # The next one is the last of each.
    left = [i for i in reversed(range(len(old))) if old[i] > 1]
    right = [i for i in reversed(range(len(new))) if new[i] > 1]
    while left and right:
        a, b = [left.pop()], [right.pop()]
        while (m := prod(old[i] for i in a)) != (n := prod(new[i] for i in b)):
            if m < n:
                a.append(left.pop())
            else:
                b.append(right.pop())
        groups.append((a, b))
    return groups


@register_rule("tile")
def tile(walk: Walk, eqn: Any, x: Value) -> Value:
    axes = []
    for times, n, axis in zip(eqn.params["reps"], x.shape, x.axes, strict=True):
        axes.append(None if axis is None else flattened(walk, [(times, None), (n, axis)]))
    return walk.value(eqn.outvars[0].aval.shape, axes, x.exponents)


@register_rule("rev")
def rev(walk: Walk, eqn: Any, x: Value) -> Value:
    sizes = {d: x.shape[d] for d in eqn.params["dimensions"]}
    return walk.retold(x, "its order is reversed", sizes)


@register_rule("slice")
def slice_(walk: Walk, eqn: Any, x: Value) -> Value:
    starts, stops = eqn.params["start_indices"], eqn.params["limit_indices"]
    strides = eqn.params["strides"] or (1,) * len(starts)
    for axis, (start, stop, stride) in enumerate(zip(starts, stops, strides, strict=True)):
        if stride == 1:
            x = take_run(walk, x, axis, start, stop)
        else:
            sizes = {axis: len(range(start, stop, stride))}
            x = walk.retold(x, f"positions {stride} apart are used together", sizes, opaque=True)
    return x


def take_run(walk: Walk, x: Value, axis: int, start: int, stop: int) -> Value:
    """Positions ``start .. stop - 1`` along one axis."""
    shape, axes = list(x.shape), list(x.axes)
    shape[axis], axes[axis] = stop - start, walk.run(axes[axis], start, stop)
    return walk.value(shape, axes, x.exponents)


@register_rule("split", "unstack")
def split(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    """Runs along one axis, or its positions one by one."""
    k = eqn.params["axis"]
    edges = np.cumsum([0, *eqn.params.get("sizes", [1] * x.shape[k])]).tolist()
    pieces = [take_run(walk, x, k, a, b) for a, b in pairwise(edges)]
    if "sizes" in eqn.params:
        return pieces
    single = []
    for p in pieces:
        shape, axes = p.shape[:k] + p.shape[k + 1 :], p.axes[:k] + p.axes[k + 1 :]
        single.append(walk.value(shape, axes, p.exponents))
    return single


@register_rule("concatenate", "stack")
def concatenate(walk: Walk, eqn: Any, *pieces: Value) -> Value:
    if "dimension" in eqn.params:
        return concatenated(walk, pieces, eqn.params["dimension"])
    k = eqn.params["axis"]
    long = []
    for p in pieces:
        shape, axes = (*p.shape[:k], 1, *p.shape[k:]), (*p.axes[:k], None, *p.axes[k:])
        long.append(p._replace(shape=shape, axes=axes))
    return concatenated(walk, long, k)


def concatenated(walk: Walk, pieces: Sequence[Value], dim: int) -> Value:
    """A sum of runs along ``dim``. A piece of length 1 keeps its factor as its position's own;
    zeros answer to any.
    """
    pieces = [p for p in pieces if p.shape[dim]]
    if len(pieces) == 1:
        return pieces[0]
    active = [p for p in pieces if not p.zero] or pieces[:1]
    shape = list(pieces[0].shape)
    shape[dim] = sum(p.shape[dim] for p in pieces)
    axes: list[Layout | None] = [None] * len(shape)
    for i in range(len(shape)):
        if i != dim:
            axes[i] = walk.tie([p.axes[i] for p in active])
    long = [p.exponents for p in active if p.shape[dim] > 1]
    exponents = walk.same(WHOLE, long) if long else ONE
    runs: Layout = ()
    for p in pieces:
        n = p.shape[dim]
        if p.zero:
            runs += ((Occurrence(Var(n), walk.unknown_exponents()),),)
        elif n == 1:
            runs += ((Occurrence(Var(1), p.exponents.times(exponents, -1)),),)
        else:
            runs += p.axes[dim] or walk.fresh(n) or ()
    axes[dim] = runs
    return walk.value(shape, axes, exponents)._replace(pieces=tuple(pieces))


@register_rule("pad")
def pad(walk: Walk, eqn: Any, x: Value, fill: Value) -> Value | Sequence[Value]:
    """A concatenation with constants."""
    config = eqn.params["padding_config"]
    if fill.known is None or any(low < 0 or high < 0 or inside for low, high, inside in config):
        return opaque(walk, eqn, x, fill)
    for dim, (low, high, _) in enumerate(config):
        borders = []
        for n in (low, high):
            shape = (*x.shape[:dim], n, *x.shape[dim + 1 :])
            borders.append(walk.constant(np.broadcast_to(fill.known, shape)))
        x = concatenated(walk, [borders[0], x, borders[1]], dim)
    return x


@register_rule("dynamic_slice")
def dynamic_slice(walk: Walk, eqn: Any, x: Value, *starts: Value) -> Value:
    """A slice where its start is constant; else the axis is told apart by position."""
    for axis, (start, size) in enumerate(zip(starts, eqn.params["slice_sizes"], strict=True)):
        if start.known is not None:
            begin = int(np.clip(start.known, 0, x.shape[axis] - size))
            x = take_run(walk, x, axis, begin, begin + size)
            continue
        walk.vanish(start)
        if size < x.shape[axis]:
            x = walk.retold(x, "a position is looked up", {axis: size})
    return x
