"""Rules of primitives that hold programs of their own: calls, loops, branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .inference import Value, Walk, calls, opaque, register_rule, walk_jaxpr
from .layout import Layout, Occ, Var

calls.update({"jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint"})
calls.update({"custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"})


def inner_jaxpr(eqn: Any) -> Any:
    """The program that a call holds, whatever this version of JAX calls it."""
    for name in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        if name in eqn.params:
            return eqn.params[name]
    return None


def run_inner(walk: Walk, jaxpr: Any, inputs: Sequence[Any], feeds: Sequence[Any] | None = None) -> list[Any]:
    """Walk a program inside a program; all of it where nothing is said of what its outputs feed."""
    inner = getattr(jaxpr, "jaxpr", jaxpr)
    feeds = [walk.feeds] * len(inner.outvars) if feeds is None else feeds
    return walk_jaxpr(walk, inner, getattr(jaxpr, "consts", ()), inputs, feeds)


@register_rule(*sorted(calls))
def call(walk: Walk, eqn: Any, *inputs: Any) -> Sequence[Any]:
    jaxpr = inner_jaxpr(eqn)
    if jaxpr is None or len(getattr(jaxpr, "jaxpr", jaxpr).invars) != len(inputs):
        return opaque(walk, eqn, *inputs)
    return run_inner(walk, jaxpr, inputs, walk.out_feeds)


def unknown_value(walk: Walk, shape: Sequence[int]) -> Value:
    """A value about which nothing is known yet."""
    axes = [((Occ(Var(n), walk.unknown_char()),),) if n > 1 else None for n in shape]
    return walk.value(shape, axes, walk.unknown_char())


def _unify(walk: Walk, a: Value, b: Value) -> Value:
    """Both values have one type from now on; a constant 0 has any character."""
    if a.zero or b.zero:
        return b if a.zero else a
    axes = [walk.tie([x, y]) for x, y in zip(a.axes, b.axes, strict=True)]
    return walk.value(a.shape, axes, walk.same(None, [a.char, b.char]))


@register_rule("scan")
def scan(walk: Walk, eqn: Any, *inputs: Any) -> Sequence[Any]:
    """Carries have one type throughout. With a carry the scanned axis is told apart by its order;
    without one the body does the same to every position of it."""
    closed = eqn.params["jaxpr"]
    body = getattr(closed, "jaxpr", closed)
    num_carry = _leading(eqn.outvars, body.outvars)
    num_scanned = _trailing(eqn.invars, body.invars)
    num_consts = len(inputs) - num_carry - num_scanned
    consts, carry, scanned = (
        list(inputs[:num_consts]),
        walk.values(inputs[num_consts : num_consts + num_carry]),
        walk.values(inputs[num_consts + num_carry :]),
    )
    length = eqn.params["length"]
    lead: Layout | None = None
    if num_carry:
        for x in scanned:
            walk.kill(x, "it is scanned in order", [0])
        lead = walk.fresh(length, walk.because("it is scanned in order"))
    else:
        for x in scanned:
            walk.vanish(x, [0])
        lead = walk.tie([x.axes[0] for x in scanned])
    slices = [walk.value(x.shape[1:], x.axes[1:], x.char) for x in scanned]
    state = [unknown_value(walk, x.shape) for x in carry]
    for start, generic in zip(carry, state, strict=True):
        _unify(walk, start, generic)
    outs = run_inner(walk, closed, [*consts, *state, *slices])
    results = walk.values(outs)
    for end, generic in zip(results[:num_carry], state, strict=True):
        _unify(walk, end, generic)
    stacked = [walk.value((length, *y.shape), (lead, *y.axes), y.char) for y in results[num_carry:]]
    return [*state, *stacked]


def _leading(outer: Sequence[Any], inner: Sequence[Any]) -> int:
    """How many leading outputs a scan does not stack."""
    return next(
        (i for i, (a, b) in enumerate(zip(outer, inner, strict=True)) if a.aval.ndim != b.aval.ndim), len(outer)
    )


def _trailing(outer: Sequence[Any], inner: Sequence[Any]) -> int:
    """How many trailing inputs a scan takes apart."""
    pairs = zip(reversed(outer), reversed(inner), strict=True)
    return next((i for i, (a, b) in enumerate(pairs) if a.aval.ndim == b.aval.ndim), len(outer))


@register_rule("while")
def while_(walk: Walk, eqn: Any, *inputs: Any) -> Sequence[Any]:
    """Carries have one type throughout; whether to go on depends on no symmetry."""
    p = eqn.params
    if "cond_nconsts" not in p or "body_nconsts" not in p:
        return opaque(walk, eqn, *inputs)
    a, b = p["cond_nconsts"], p["cond_nconsts"] + p["body_nconsts"]
    carry = walk.values(inputs[b:])
    state = [unknown_value(walk, x.shape) for x in carry]
    for start, generic in zip(carry, state, strict=True):
        _unify(walk, start, generic)
    for go_on in walk.values(run_inner(walk, p["cond_jaxpr"], [*inputs[:a], *state])):
        walk.kill(go_on, "a loop's end depends on it")
    for end, generic in zip(walk.values(run_inner(walk, p["body_jaxpr"], [*inputs[a:b], *state])), state, strict=True):
        _unify(walk, end, generic)
    return state


@register_rule("cond")
def cond(walk: Walk, eqn: Any, which: Any, *inputs: Any) -> Sequence[Any]:
    """All branches have one type; which one is taken depends on no symmetry."""
    branches = eqn.params["branches"]
    if isinstance(which, np.ndarray):
        return run_inner(walk, branches[int(np.clip(which, 0, len(branches) - 1))], inputs)
    walk.kill(which, "a branch is chosen by it")
    outs = [walk.values(run_inner(walk, branch, inputs)) for branch in branches]
    merged = outs[0]
    for other in outs[1:]:
        merged = [_unify(walk, x, y) for x, y in zip(merged, other, strict=True)]
    return merged


@register_rule("optimization_barrier")
def optimization_barrier(walk: Walk, eqn: Any, *inputs: Any) -> Sequence[Any]:
    return list(inputs)
