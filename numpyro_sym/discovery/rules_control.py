"""Rules of primitives that hold programs of their own: calls, loops, branches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .inference import Value, Walk, calls, opaque, register_rule
from .program import walk_jaxpr

calls.update({"jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint"})
calls.update({"custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"})


def _inside(walk: Walk, jaxpr: Any, inputs: Iterable[Value], feeds: Sequence[Any] | None = None) -> list[Any]:
    """Walk a program inside a program; all of it where nothing is said of what its outputs feed."""
    inputs = [x if x.known is None else x.known for x in inputs]
    outs = getattr(jaxpr, "jaxpr", jaxpr).outvars
    return walk_jaxpr(walk, jaxpr, inputs, [walk.feeds] * len(outs) if feeds is None else feeds)


def _typed(walk: Walk, outs: Iterable[Any]) -> list[Value]:
    return [x if isinstance(x, Value) else walk.constant(x) for x in outs]


@register_rule(*sorted(calls))
def call(walk: Walk, eqn: Any, *inputs: Value) -> Sequence[Any]:
    """The program that is called, whatever this version of JAX calls it."""
    jaxpr = next((eqn.params[p] for p in ("jaxpr", "call_jaxpr", "fun_jaxpr") if p in eqn.params), None)
    if jaxpr is None or len(getattr(jaxpr, "jaxpr", jaxpr).invars) != len(inputs):
        return opaque(walk, eqn, *inputs)
    return _inside(walk, jaxpr, inputs, walk.out_feeds)


def _settled(walk: Walk, carry: Sequence[Value], step: Callable[[list[Value]], list[Value]]) -> tuple[list, list]:
    """Carries that have one type before and after a step, and what else the step gives."""
    state = [walk.unknown_value(x.shape) for x in carry]
    for start, generic in zip(carry, state, strict=True):
        walk.unify(start, generic)
    results = step(state)
    for end, generic in zip(results, state, strict=False):
        walk.unify(end, generic)
    return state, results[len(state) :]


@register_rule("scan")
def scan(walk: Walk, eqn: Any, *inputs: Value) -> Sequence[Value]:
    """With a carry the scanned axis is told apart by its order; without, the body does the same at every position."""
    body, length = eqn.params["jaxpr"], eqn.params["length"]
    inner = getattr(body, "jaxpr", body)
    # A scan stacks its last outputs and takes its last inputs apart: those whose ranks differ inside.
    stacks = [a.aval.ndim != b.aval.ndim for a, b in zip(eqn.outvars, inner.outvars, strict=True)]
    num_carry = stacks.index(True) if True in stacks else len(stacks)
    whole = [i for i, (a, b) in enumerate(zip(eqn.invars, inner.invars, strict=True)) if a.aval.ndim == b.aval.ndim]
    first = whole[-1] + 1 if whole else 0
    consts, carry, scanned = inputs[: first - num_carry], inputs[first - num_carry : first], inputs[first:]
    if num_carry:
        for x in scanned:
            walk.kill(x, "it is scanned in order", [0])
        lead = walk.fresh(length, walk.because("it is scanned in order"))
    else:
        for x in scanned:
            walk.vanish(x, [0])
        lead = walk.tie([x.axes[0] for x in scanned])
    slices = [walk.value(x.shape[1:], x.axes[1:], x.char) for x in scanned]
    state, outs = _settled(walk, carry, lambda c: _typed(walk, _inside(walk, body, [*consts, *c, *slices])))
    return [*state, *(walk.value((length, *y.shape), (lead, *y.axes), y.char) for y in outs)]


@register_rule("while")
def while_(walk: Walk, eqn: Any, *inputs: Value) -> Sequence[Value]:
    """Carries have one type throughout; whether to go on depends on no symmetry."""
    p = eqn.params
    a, b = p["cond_nconsts"], p["cond_nconsts"] + p["body_nconsts"]

    def step(state: list[Value]) -> list[Value]:
        for go_on in _typed(walk, _inside(walk, p["cond_jaxpr"], [*inputs[:a], *state])):
            walk.kill(go_on, "a loop's end depends on it")
        return _typed(walk, _inside(walk, p["body_jaxpr"], [*inputs[a:b], *state]))

    return _settled(walk, inputs[b:], step)[0]


@register_rule("cond")
def cond(walk: Walk, eqn: Any, which: Value, *inputs: Value) -> Sequence[Any]:
    """All branches have one type; which one is taken depends on no symmetry."""
    branches = eqn.params["branches"]
    if which.known is not None:
        return _inside(walk, branches[int(np.clip(which.known, 0, len(branches) - 1))], inputs)
    walk.kill(which, "a branch is chosen by it")
    merged, *others = (_typed(walk, _inside(walk, branch, inputs)) for branch in branches)
    for other in others:
        merged = [walk.unify(x, y) for x, y in zip(merged, other, strict=True)]
    return merged


@register_rule("optimization_barrier")
def optimization_barrier(walk: Walk, eqn: Any, *inputs: Value) -> Sequence[Value]:
    return inputs
