"""A program run with the last bit of every result changed at random (Monte Carlo arithmetic; Parker
1997).

It tells a program whose value turns on rounding, as the floor of a sum that is 0 but for rounding,
from one that does not: an oracle of its own, operation by operation, loops and branches included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

#: Operations that round nothing: they move numbers, compare them or change their sign.
EXACT = frozenset(
    (
        *(
            "broadcast_in_dim",
            "reshape",
            "squeeze",
            "expand_dims",
            "transpose",
            "copy",
            "stop_gradient",
            "iota",
        ),
        *(
            "slice",
            "dynamic_slice",
            "gather",
            "concatenate",
            "pad",
            "rev",
            "sort",
            "select_n",
            "split",
            "stack",
        ),
        *(
            "neg",
            "abs",
            "sign",
            "max",
            "min",
            "reduce_max",
            "reduce_min",
            "argmax",
            "argmin",
            "cummax",
            "cummin",
        ),
        *(
            "convert_element_type",
            "floor",
            "ceil",
            "round",
            "eq",
            "ne",
            "lt",
            "le",
            "gt",
            "ge",
            "is_finite",
        ),
    )
)


def values(program: Callable, point: dict, rng: np.random.Generator, times: int) -> list[float]:
    """What a function of a point may return, given how its operations round: one value
    each time.
    """
    jaxpr = jax.make_jaxpr(program)(point)
    inputs = jax.tree.leaves(point)
    return [float(_run(jaxpr.jaxpr, jaxpr.consts, inputs, rng)[0]) for _ in range(times)]


def _run(jaxpr: Any, consts: Sequence, inputs: Sequence, rng: np.random.Generator) -> list:
    known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *inputs), strict=True))

    def read(atom: Any) -> Any:
        return atom.val if hasattr(atom, "val") else known[atom]

    for eqn in jaxpr.eqns:
        known.update(
            zip(eqn.outvars, _operation(eqn, [read(a) for a in eqn.invars], rng), strict=True)
        )
    return [read(a) for a in jaxpr.outvars]


def _closed(program: Any, inputs: Sequence, rng: np.random.Generator) -> list:
    return _run(getattr(program, "jaxpr", program), getattr(program, "consts", ()), inputs, rng)


def _operation(eqn: Any, given: list, rng: np.random.Generator) -> list:
    name, params = eqn.primitive.name, eqn.params
    if name == "cond":
        return _closed(params["branches"][int(given[0])], given[1:], rng)
    if name == "scan":
        return _scan(eqn, given, rng)
    if name == "while":
        return _while(params, given, rng)
    inside = next((params[p] for p in ("jaxpr", "call_jaxpr", "fun_jaxpr") if p in params), None)
    if inside is not None:
        return _closed(inside, given, rng)
    outs = eqn.primitive.bind(*given, **eqn.primitive.get_bind_params(params))
    outs = outs if eqn.primitive.multiple_results else [outs]
    return list(outs) if name in EXACT else [_disturbed(np.asarray(x), rng) for x in outs]


def _disturbed(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if x.dtype != np.float64:
        return x
    return x * (1 + np.finfo(float).eps * rng.choice([-1.0, 0.0, 1.0], x.shape))


def _scan(eqn: Any, given: list, rng: np.random.Generator) -> list:
    params, body = eqn.params, getattr(eqn.params["jaxpr"], "jaxpr", eqn.params["jaxpr"])
    # Of a carry the rank is the same inside and outside; what is stacked or taken apart has one
    # axis less inside.
    num_carry = sum(
        a.aval.ndim == b.aval.ndim for a, b in zip(eqn.outvars, body.outvars, strict=True)
    )
    num_whole = sum(
        a.aval.ndim == b.aval.ndim for a, b in zip(eqn.invars, body.invars, strict=True)
    )
    consts, carry = given[: num_whole - num_carry], given[num_whole - num_carry : num_whole]
    rows = [np.asarray(x) for x in given[num_whole:]]
    steps = range(params["length"])
    emitted = []
    for i in reversed(steps) if params["reverse"] else steps:
        outs = _closed(params["jaxpr"], [*consts, *carry, *(x[i] for x in rows)], rng)
        carry = outs[:num_carry]
        emitted.append(outs[num_carry:])
    if params["reverse"]:
        emitted.reverse()
    return [*carry, *(np.stack(column) for column in zip(*emitted, strict=True))]


def _while(params: dict, given: list, rng: np.random.Generator) -> list:
    first, second = params["cond_nconsts"], params["body_nconsts"]
    ask, do, carry = given[:first], given[first : first + second], given[first + second :]
    while bool(_closed(params["cond_jaxpr"], [*ask, *carry], rng)[0]):
        carry = _closed(params["body_jaxpr"], [*do, *carry], rng)
    return carry
