"""Rules of contractions, reductions, windows, sorts and matrix factorisations."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from .characters import ONE, Char
from .inference import Value, Walk, opaque, register_rule
from .layout import Layout, Var


def multiplied(var: Var | None, chars: list[Char]) -> Char:
    """A ``combine`` for factors of a product."""
    return chars[0].times(chars[1])


@register_rule("dot_general")
def dot_general(walk: Walk, eqn: Any, *inputs: Any) -> list[Value]:
    """Contracted axes run over the same positions and their factors cancel; the rest is carried."""
    x, y = walk.values(inputs)
    (contract_x, contract_y), (batch_x, batch_y) = eqn.params["dimension_numbers"]
    for i, j in zip(contract_x, contract_y, strict=True):
        walk.merge([x.axes[i], y.axes[j]], walk.cancel)
    axes = [walk.merge([x.axes[i], y.axes[j]], multiplied) for i, j in zip(batch_x, batch_y, strict=True)]
    axes += [a for i, a in enumerate(x.axes) if i not in (*contract_x, *batch_x)]
    axes += [a for i, a in enumerate(y.axes) if i not in (*contract_y, *batch_y)]
    return [walk.value(eqn.outvars[0].aval.shape, axes, x.char.times(y.char))]


@register_rule("conv_general_dilated")
def convolution(walk: Walk, eqn: Any, *inputs: Any) -> list[Value]:
    """Channels are contracted, group by group; positions in space are told apart."""
    x, kernel = walk.values(inputs)
    dims, groups = eqn.params["dimension_numbers"], eqn.params["feature_group_count"]
    if eqn.params["batch_group_count"] != 1:
        return list(opaque(walk, eqn, *inputs))
    text = "its positions in space are told apart by a convolution"
    walk.kill(x, text, dims.lhs_spec[2:])
    walk.kill(kernel, text, dims.rhs_spec[2:])
    channels_in, channels_out = x.axes[dims.lhs_spec[1]], kernel.axes[dims.rhs_spec[0]]
    size_in, size_out = x.shape[dims.lhs_spec[1]], kernel.shape[dims.rhs_spec[0]]
    if groups == 1:
        walk.merge([channels_in, kernel.axes[dims.rhs_spec[1]]], walk.cancel)
        channels = channels_out
    else:
        group_in, each_in = _halves(walk, channels_in, groups, size_in // groups)
        group_out, each_out = _halves(walk, channels_out, groups, size_out // groups)
        walk.merge([each_in, kernel.axes[dims.rhs_spec[1]]], walk.cancel)
        group = walk.merge([group_in, group_out], multiplied)
        channels = walk.product([(groups, group), (size_out // groups, each_out)])
    shape = eqn.outvars[0].aval.shape
    axes = [walk.fresh(n, walk.because(text)) for n in shape]
    axes[dims.out_spec[0]], axes[dims.out_spec[1]] = x.axes[dims.lhs_spec[0]], channels
    return [walk.value(shape, axes, x.char.times(kernel.char))]


def _halves(walk: Walk, layout: Layout | None, major: int, minor: int) -> tuple[Layout | None, Layout | None]:
    if major == 1 or minor == 1:
        return (layout, None) if minor == 1 else (None, layout)
    first, second = walk.unflatten(layout, [major, minor])
    return first, second


# Reductions ----------------------------------------------------------------------------------------


def _without(walk: Walk, x: Value, dims: Sequence[int], char: Char) -> Value:
    kept = [i for i in range(len(x.shape)) if i not in dims]
    return walk.value([x.shape[i] for i in kept], [x.axes[i] for i in kept], char)


@register_rule("reduce_sum")
def reduce_sum(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    walk.vanish(x, eqn.params["axes"])
    return [_without(walk, x, eqn.params["axes"], x.char)]


@register_rule("reduce_max", "reduce_min")
def reduce_max(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    walk.signless(x)
    walk.vanish(x, eqn.params["axes"])
    return [_without(walk, x, eqn.params["axes"], x.char)]


@register_rule("reduce_and", "reduce_or", "reduce_xor")
def reduce_and(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    walk.vanish(x)
    return [_without(walk, x, eqn.params["axes"], ONE)]


@register_rule("reduce_prod")
def reduce_prod(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    """The product of factors is one factor of its own only where they are all the same."""
    walk.vanish(x, range(len(x.shape)))
    count = 1
    for d in eqn.params["axes"]:
        count *= x.shape[d]
    return [_without(walk, x, eqn.params["axes"], x.char.to_power(count))]


@register_rule("argmax", "argmin")
def argmax(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    walk.signless(x)
    walk.kill(x, "a position is what comes out", eqn.params["axes"])
    result = _without(walk, x, eqn.params["axes"], ONE)
    walk.vanish(result, range(len(result.shape)))
    return [result]


@register_rule("sort")
def sort(walk: Walk, eqn: Any, *inputs: Any) -> list[Value]:
    """The sorted values are the same whatever the order of one array; several arrays tell it."""
    values, dim = walk.values(inputs), eqn.params["dimension"]
    text = "its order is what is sorted"
    for x in values:
        walk.vanish(x)
        if len(values) > 1:
            walk.kill(x, text, [dim])
    axes = [walk.tie([x.axes[i] for x in values]) for i in range(len(values[0].shape))]
    axes[dim] = walk.fresh(values[0].shape[dim], walk.because(text))
    return [walk.value(values[0].shape, axes) for _ in values]


# Along an axis in order ----------------------------------------------------------------------------


@register_rule("cumsum", "cummax", "cummin", "cumprod", "cumlogsumexp")
def cumulated(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    if eqn.primitive.name != "cumsum":
        walk.vanish(x)
    axis = eqn.params["axis"]
    return [walk.retold(x, "it is accumulated in order", {axis: x.shape[axis]})]


@register_rule("reduce_window_sum", "reduce_window_max", "reduce_window_min")
def reduce_window(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    """A border of zeros, or of infinities, stays what it is under positive factors."""
    shape, windows, padding = eqn.outvars[0].aval.shape, eqn.params["window_dimensions"], eqn.params["padding"]
    moved = {i: n for i, n in enumerate(shape) if windows[i] > 1 or n != x.shape[i] or any(padding[i])}
    if eqn.primitive.name != "reduce_window_sum":
        walk.signless(x)
    return [walk.retold(x, "its positions in space are told apart by a pooling", moved)]


# Matrices ------------------------------------------------------------------------------------------


@register_rule("cholesky")
def cholesky(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    """The factor of a permuted matrix is no permuted factor; what runs over many matrices passes."""
    walk.signless(x)
    n, half = len(x.shape), Fraction(1, 2)
    rooted = [walk.merge([a], lambda _, chars: chars[0].to_power(half)) for a in x.axes[: n - 2]]
    rows = {i: x.shape[i] for i in (n - 2, n - 1)}
    out = walk.retold(x, "a Cholesky factor depends on the order of rows", rows, opaque=True)
    return [walk.value(x.shape, [*rooted, *out.axes[n - 2 :]], x.char.to_power(half))]


@register_rule("triangular_solve")
def triangular_solve(walk: Walk, eqn: Any, *inputs: Any) -> list[Value]:
    """Rows of the triangle are told apart; right-hand sides and what runs over many systems pass."""
    a, b = walk.values(inputs)
    n = len(a.shape)
    solved = n - 2 if eqn.params["left_side"] else n - 1
    text = "a triangular solve depends on the order of rows"
    walk.kill(a, text, [n - 2, n - 1], opaque=True)
    if eqn.params["unit_diagonal"]:
        walk.vanish(a)
    many = zip(a.axes[: n - 2], b.axes[: n - 2], strict=True)
    axes = [walk.merge([y, x], lambda _, chars: chars[0].times(chars[1], -1)) for x, y in many]
    out = walk.retold(b, text, {solved: b.shape[solved]}, opaque=True)
    return [walk.value(b.shape, [*axes, *out.axes[n - 2 :]], b.char.times(a.char, -1))]
