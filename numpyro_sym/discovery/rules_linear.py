"""Rules of contractions, reductions, windows, sorts and matrix factorizations."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import Any

from .exponents import ONE, Exponents
from .inference import Value, Walk, opaque, register_rule
from .layout import Layout, Var, product


def multiplied(var: Var, each: list[Exponents]) -> Exponents:
    """A ``combine`` for factors of a product."""
    return each[0].times(each[1])


@register_rule("dot_general")
def dot_general(walk: Walk, eqn: Any, x: Value, y: Value) -> Value:
    """Contracted axes run over the same positions and their factors cancel; the rest is carried."""
    (contract_x, contract_y), (batch_x, batch_y) = eqn.params["dimension_numbers"]
    for i, j in zip(contract_x, contract_y, strict=True):
        walk.merge([x.axes[i], y.axes[j]], walk.cancel)
    axes = [
        walk.merge([x.axes[i], y.axes[j]], multiplied)
        for i, j in zip(batch_x, batch_y, strict=True)
    ]
    axes += [a for i, a in enumerate(x.axes) if i not in (*contract_x, *batch_x)]
    axes += [a for i, a in enumerate(y.axes) if i not in (*contract_y, *batch_y)]
    return walk.value(eqn.outvars[0].aval.shape, axes, x.exponents.times(y.exponents))


@register_rule("conv_general_dilated")
def convolution(walk: Walk, eqn: Any, x: Value, kernel: Value) -> Value | Sequence[Value]:
    """Channels are contracted, group by group; positions in space are told apart."""
    dims, groups = eqn.params["dimension_numbers"], eqn.params["feature_group_count"]
    if eqn.params["batch_group_count"] != 1:
        return opaque(walk, eqn, x, kernel)
    text = "its positions in space are told apart by a convolution"
    walk.kill(x, text, dims.lhs_spec[2:])
    walk.kill(kernel, text, dims.rhs_spec[2:])
    per_group = kernel.shape[dims.rhs_spec[0]] // groups
    channels_in, channels_out = x.axes[dims.lhs_spec[1]], kernel.axes[dims.rhs_spec[0]]
    group_in, each_in = _halves(walk, channels_in, groups, kernel.shape[dims.rhs_spec[1]])
    group_out, each_out = _halves(walk, channels_out, groups, per_group)
    walk.merge([each_in, kernel.axes[dims.rhs_spec[1]]], walk.cancel)
    group = walk.merge([group_in, group_out], multiplied)
    shape = eqn.outvars[0].aval.shape
    axes = [walk.fresh(n, walk.because(text)) for n in shape]
    axes[dims.out_spec[0]] = x.axes[dims.lhs_spec[0]]
    axes[dims.out_spec[1]] = flattened(walk, [(groups, group), (per_group, each_out)])
    return walk.value(shape, axes, x.exponents.times(kernel.exponents))


def _halves(walk: Walk, layout: Layout | None, major: int, minor: int) -> Sequence[Layout | None]:
    if minor == 1:
        return layout, None
    if major == 1:
        return None, layout
    return walk.unflatten(layout, [major, minor])


def flattened(walk: Walk, axes: Sequence[tuple[int, Layout | None]]) -> Layout | None:
    """Several axes, ``(length, layout)`` each, as one."""
    axes = [(n, a) for n, a in axes if n > 1]
    if all(a is None for _, a in axes):
        return None
    return product([a or walk.fresh(n) or () for n, a in axes])


# Reductions ---------------------------------------------------------------------------------------


def _without(walk: Walk, x: Value, dims: Sequence[int], exponents: Exponents = ONE) -> Value:
    kept = [i for i in range(len(x.shape)) if i not in dims]
    return walk.value([x.shape[i] for i in kept], [x.axes[i] for i in kept], exponents)


@register_rule("reduce_sum", "reduce_max", "reduce_min", "reduce_and", "reduce_or", "reduce_xor")
def reduce(walk: Walk, eqn: Any, x: Value) -> Value:
    """A sum takes a factor that all its terms have, a maximum a positive one, a truth
    value none.
    """
    name, dims = eqn.primitive.name, eqn.params["axes"]
    if name != "reduce_sum":
        walk.vanish(x, signs_only=name in ("reduce_max", "reduce_min"))
    walk.vanish(x, dims)
    return _without(walk, x, dims, x.exponents)


@register_rule("reduce_prod")
def reduce_prod(walk: Walk, eqn: Any, x: Value) -> Value:
    """The product of factors is one factor of its own only where they are all the same."""
    walk.vanish(x, range(len(x.shape)))
    dims = eqn.params["axes"]
    count = prod(x.shape[d] for d in dims)
    return _without(walk, x, dims, ONE.times(x.exponents, count))


@register_rule("argmax", "argmin")
def argmax(walk: Walk, eqn: Any, x: Value) -> Value:
    """A position comes out, whatever positive factor the whole has."""
    walk.vanish(x, signs_only=True)
    walk.vanish(x, range(len(x.shape)))
    walk.kill(x, "a position is what comes out", eqn.params["axes"])
    return _without(walk, x, eqn.params["axes"])


@register_rule("sort")
def sort(walk: Walk, eqn: Any, *inputs: Value) -> list[Value]:
    """The sorted values are the same whatever the order of one array; several arrays tell it."""
    shape, dim, text = inputs[0].shape, eqn.params["dimension"], "its order is what is sorted"
    for x in inputs:
        walk.vanish(x)
        if len(inputs) > 1:
            walk.kill(x, text, [dim])
    axes = [walk.tie([x.axes[i] for x in inputs]) for i in range(len(shape))]
    axes[dim] = walk.fresh(shape[dim], walk.because(text))
    return [walk.value(shape, axes) for _ in inputs]


# Along an axis in order ---------------------------------------------------------------------------


@register_rule("cumsum", "cummax", "cummin", "cumprod", "cumlogsumexp")
def cumulated(walk: Walk, eqn: Any, x: Value) -> Value:
    """A running sum passes factors of other axes and of the whole."""
    if eqn.primitive.name != "cumsum":
        walk.vanish(x)
    axis = eqn.params["axis"]
    return walk.retold(x, "it is accumulated in order", {axis: x.shape[axis]})


@register_rule("reduce_window_sum", "reduce_window_max", "reduce_window_min")
def reduce_window(walk: Walk, eqn: Any, x: Value) -> Value:
    """A border of zeros, or of infinities, stays what it is under positive factors."""
    windows, padding = eqn.params["window_dimensions"], eqn.params["padding"]
    moved = {}
    for i, n in enumerate(eqn.outvars[0].aval.shape):
        if windows[i] > 1 or n != x.shape[i] or any(padding[i]):
            moved[i] = n
    if eqn.primitive.name != "reduce_window_sum":
        walk.vanish(x, signs_only=True)
    return walk.retold(x, "its positions in space are told apart by a pooling", moved)


# Matrices -----------------------------------------------------------------------------------------


@register_rule("cholesky")
def cholesky(walk: Walk, eqn: Any, x: Value) -> Value:
    """The factor of a permuted matrix is no permuted factor; what runs over many
    matrices passes.
    """
    walk.vanish(x, signs_only=True)
    n, half = len(x.shape), Fraction(1, 2)

    def root(_: Var, each: list[Exponents]) -> Exponents:
        return ONE.times(each[0].of(sign=False), half)

    rooted = [walk.merge([axis], root) for axis in x.axes[: n - 2]]
    rows = {i: x.shape[i] for i in (n - 2, n - 1)}
    out = walk.retold(x, "a Cholesky factor depends on the order of rows", rows, opaque=True)
    exponents = ONE.times(x.exponents.of(sign=False), half)
    return walk.value(x.shape, [*rooted, *out.axes[n - 2 :]], exponents)


@register_rule("triangular_solve")
def triangular_solve(walk: Walk, eqn: Any, a: Value, b: Value) -> Value:
    """Rows of the triangle are told apart; right-hand sides and what runs over many
    systems pass.
    """
    n, text = len(a.shape), "a triangular solve depends on the order of rows"
    solved = n - 2 if eqn.params["left_side"] else n - 1
    walk.kill(a, text, [n - 2, n - 1], opaque=True)
    if eqn.params["unit_diagonal"]:
        walk.vanish(a)
    many = zip(a.axes[: n - 2], b.axes[: n - 2], strict=True)
    axes = [walk.merge([y, x], lambda _, each: each[0].times(each[1], -1)) for x, y in many]
    out = walk.retold(b, text, {solved: b.shape[solved]}, opaque=True)
    return walk.value(b.shape, [*axes, *out.axes[n - 2 :]], b.exponents.times(a.exponents, -1))
