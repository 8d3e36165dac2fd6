"""Rules of primitives that hold programs of their own: calls, loops, branches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .inference import Batch, Block, Lies, Value, Walk, calls, one_slice, opaque, register_rule
from .layout import Layout
from .program import walk_jaxpr
from .slices import at_one_index, joined

calls.update({"jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint"})
calls.update({"custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"})


def _inside(
    walk: Walk, jaxpr: Any, inputs: Iterable[Value], feeds: Sequence[Any] | None = None
) -> list[Any]:
    """Walk a program inside a program; all of it where nothing is said of what its outputs feed."""
    inputs = [x if x.known is None else x.known for x in inputs]
    outs = getattr(jaxpr, "jaxpr", jaxpr).outvars
    return walk_jaxpr(walk, jaxpr, inputs, [walk.feeds] * len(outs) if feeds is None else feeds)


def _typed(walk: Walk, outs: Iterable[Any]) -> list[Value]:
    return [x if isinstance(x, Value) else walk.constant(x) for x in outs]


@register_rule(*sorted(calls))
def call(walk: Walk, eqn: Any, *inputs: Value) -> Sequence[Any]:
    """The program that is called, whatever this version of JAX calls it."""
    for name in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        jaxpr = eqn.params.get(name)
        if jaxpr is not None:
            break
    if jaxpr is None or len(getattr(jaxpr, "jaxpr", jaxpr).invars) != len(inputs):
        return opaque(walk, eqn, *inputs)
    return _inside(walk, jaxpr, inputs, walk.out_feeds)


def _settled(
    walk: Walk,
    carry: Sequence[Value],
    step: Callable[[list[Value]], list[Value]],
    constant: Sequence[bool] | None = None,
) -> tuple[list, list]:
    """Carries that have one type before and after a step, and what else the step gives.

    :param constant: which of them are constants that no step changes.
    """
    constant = constant or [False] * len(carry)
    state = [x if k else walk.unknown_value(x.shape) for x, k in zip(carry, constant, strict=True)]
    for start, generic, k in zip(carry, state, constant, strict=True):
        if not k:
            walk.unify(start, generic)
    results = step(state)
    for end, generic, k in zip(results, state, constant, strict=False):
        if not k:
            walk.unify(end, generic)
    return state, results[len(state) :]


def parts_of_scan(eqn: Any) -> tuple[int, int]:
    """Where among the inputs of a scan its carry begins, and where what is scanned does.

    A scan stacks its last outputs and takes its last inputs apart: those whose ranks differ inside.
    """
    body = eqn.params["jaxpr"]
    inner = getattr(body, "jaxpr", body)
    stacks = [a.aval.ndim != b.aval.ndim for a, b in zip(eqn.outvars, inner.outvars, strict=True)]
    num_carry = stacks.index(True) if True in stacks else len(stacks)
    first = 0
    for i, (a, b) in enumerate(zip(eqn.invars, inner.invars, strict=True)):
        if a.aval.ndim == b.aval.ndim:
            first = i + 1
    return first - num_carry, first


@register_rule("scan")
def scan(walk: Walk, eqn: Any, *inputs: Value) -> Sequence[Any]:
    """With a carry the scanned axis is told apart by its order; without, the body does the same at
    every position.
    """
    body, length = eqn.params["jaxpr"], eqn.params["length"]
    begin, first = parts_of_scan(eqn)
    num_carry = first - begin
    consts, carry, scanned = inputs[:begin], inputs[begin:first], inputs[first:]
    if any(x.batch for x in inputs):
        return _scan_of_slices(walk, eqn, consts, carry, scanned)
    if num_carry:
        for x in scanned:
            walk.kill(x, "it is scanned in order", [0])
        lead = walk.fresh(length, walk.because("it is scanned in order"))
    else:
        for x in scanned:
            walk.vanish(x, [0])
        lead = walk.tie([x.axes[0] for x in scanned])
    slices = [walk.value(x.shape[1:], x.axes[1:], x.exponents) for x in scanned]
    constant = _constant_carries(walk, body, consts, carry, slices)

    def step(state: list[Value]) -> list[Value]:
        return _typed(walk, _inside(walk, body, [*consts, *state, *slices]))

    state, outs = _settled(walk, carry, step, constant)
    ends = [x.known if k else x for x, k in zip(state, constant, strict=True)]
    return [*ends, *(_stacked(walk, length, lead, y) for y in outs)]


def _stacked(walk: Walk, length: int, lead: Layout | None, y: Value) -> Any:
    """What every step gives; a constant is the same in each."""
    if isinstance(y.known, np.ndarray):
        return np.broadcast_to(y.known, (length, *y.shape))
    return walk.value((length, *y.shape), (lead, *y.axes), y.exponents)


def _constant_carries(
    walk: Walk, body: Any, consts: Sequence[Value], carry: Sequence[Value], slices: Sequence[Value]
) -> list[bool]:
    """Which carries begin with a constant that no step changes: tried on values of unknown types.

    Such are all states of a discrete site, which the step of a Markov model hands on.
    """
    constant = [isinstance(x.known, np.ndarray) for x in carry]
    while any(constant):
        trial = Walk(any_data=walk.any_data, feeds=walk.feeds)
        is_known = [x.known is not None for x in consts]
        is_known += [*constant, *([False] * len(slices))]
        given = []
        for x, known in zip((*consts, *carry, *slices), is_known, strict=True):
            unknown = trial.unknown_value(x.shape)
            given.append(x if known else unknown)
        ends = _typed(trial, _inside(trial, body, given))
        still = [k and _is_same(x, end) for k, x, end in zip(constant, carry, ends, strict=False)]
        if still == constant:
            break
        constant = still
    return constant


def _is_same(x: Value, end: Value) -> bool:
    return isinstance(end.known, np.ndarray) and np.array_equal(x.known, end.known)


def _scan_of_slices(
    walk: Walk, eqn: Any, consts: Sequence[Value], carry: Sequence[Value], scanned: Sequence[Value]
) -> Sequence[Value]:
    """A scan whose inputs are slices of a batch, at least some of them.

    Either it runs over the batch: each step sees the set of one position, and what it hands on must
    not change with any set. Or the batch is beside it, and every step acts slice by slice.
    """
    body, text = eqn.params["jaxpr"], "it is scanned in order"
    outer = [tuple(a.aval.shape) for a in eqn.invars]
    inner = [tuple(a.aval.shape) for a in getattr(body, "jaxpr", body).invars]
    first, last = len(consts), len(consts) + len(carry)
    inputs = [*consts, *carry, *scanned]
    run_over = {d for x in scanned for d, k in enumerate(x.batch) if k == 0}
    for i, x in enumerate(inputs):
        # A block of the axis that a step takes apart is spread over steps.
        is_spread = i >= last and any(isinstance(k, Block) and k.axis == 0 for k in x.batch)
        is_beside = not run_over and not is_spread
        own = [d for d, k in enumerate(x.batch) if k == 0]
        is_run_over = len(run_over) == 1 and i >= last and own == [*run_over]
        if not is_beside and not is_run_over:
            inputs[i] = joined(walk, x, outer[i])
    consts, carry, scanned = inputs[:first], inputs[first:last], inputs[last:]
    for x in scanned:
        walk.kill(x, text, [0])  # of a slice there is nothing along this axis
    slices = []
    for x in scanned:
        one = walk.value(x.shape[1:], x.axes[1:], x.exponents)
        slices.append(one._replace(batch=_moved(x.batch, -1)))
    shapes = inner[first:last]
    batches: list[Batch] = [() for _ in carry]
    if not run_over:
        batches = _batches_of_carry(walk, body, consts, carry, slices)
    state = []
    for start, shape, batch in zip(carry, shapes, batches, strict=True):
        start = _with_batch(walk, start, shape, batch)
        generic = walk.unknown_value(start.shape)
        walk.unify(start, generic)
        state.append(generic._replace(batch=batch))
    outs = _typed(walk, _inside(walk, body, [*consts, *state, *slices]))
    for end, generic, shape in zip(outs, state, shapes, strict=False):
        walk.unify(_with_batch(walk, end, shape, generic.batch), generic)
    found = list(state)
    for y in outs[len(state) :]:
        length, batch = eqn.params["length"], _moved(y.batch, 1)
        if y.batch and run_over:
            length, batch = 1, tuple(0 if d in run_over else k for d, k in enumerate(batch))
        lead = walk.fresh(length, walk.because(text))
        stacked = walk.value((length, *y.shape), (lead, *y.axes), y.exponents)
        found.append(stacked._replace(batch=batch))
    return found


def _moved(batch: Batch, by: int) -> Batch:
    """A batch whose axes have other numbers; the first axis is gone where the loop takes it."""
    moved: list[Lies] = []
    for k in batch:
        if isinstance(k, Block):
            moved.append(k._replace(axis=k.axis + by))
        else:
            moved.append(None if k is None or k + by < 0 else k + by)
    return tuple(moved)


def _with_batch(walk: Walk, x: Value, shape: tuple[int, ...], batch: Batch) -> Value:
    """A value as slices along the axes of a batch; where it is slices along others, they meet."""
    if x.batch == batch:
        return x
    return at_one_index(walk, joined(walk, x, shape), batch)


def _batches_of_carry(
    walk: Walk, body: Any, consts: Sequence[Value], carry: Sequence[Value], slices: Sequence[Value]
) -> list[Batch]:
    """Which carries are slices after some steps, and along which axes: tried on values of unknown
    types.
    """
    shapes = [tuple(a.aval.shape) for a in getattr(body, "jaxpr", body).invars]
    given = [*consts, *carry, *slices]
    batches = [x.batch for x in given]
    first, last = len(consts), len(consts) + len(carry)
    for _ in carry:
        trial = Walk(any_data=walk.any_data, feeds=walk.feeds)
        values = []
        for x, shape, batch in zip(given, shapes, batches, strict=True):
            is_known = x.known is not None and not batch
            one = trial.unknown_value(one_slice(shape, batch))
            values.append(x if is_known else one._replace(batch=batch))
        outs = _typed(trial, _inside(trial, body, values))
        found = [old or new.batch for old, new in zip(batches[first:last], outs, strict=False)]
        if found == batches[first:last]:
            break
        batches[first:last] = found
    return batches[first:last]


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
