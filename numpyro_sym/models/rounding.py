"""How much of a density is rounding, measured on the program itself.

A change is no change where rounding explains it. In a program of float64 that is what a change of
the last bit of its inputs does. Where a program computes in a narrower type, each result of such
an operation is disturbed by its last bit, too (Monte Carlo arithmetic; Parker 1997), and where it
factors a matrix, that matrix: a factor is exact for a matrix that differs in its last bits (Higham
2002, Accuracy and stability of numerical algorithms, theorem 10.3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun

#: Compiled for one run or a few: how fast it runs matters less than how soon.
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}

#: Programs inside an equation that only run it.
_INLINED = (
    "jit",
    "pjit",
    "closed_call",
    "core_call",
    "custom_jvp_call",
    "custom_vjp_call",
    "custom_vjp_call_jaxpr",
)
#: Operations that move, choose or turn numbers and round nothing.
_MOVING = ("broadcast_in_dim", "reshape", "squeeze", "expand_dims", "transpose", "copy", "iota")
_CHOOSING = ("slice", "dynamic_slice", "gather", "concatenate", "pad", "rev", "sort", "select_n")
_TURNING = ("neg", "abs", "sign", "max", "min", "stop_gradient")
_EXACT = frozenset((*_MOVING, *_CHOOSING, *_TURNING))
#: Factors of matrices, and solutions of systems: small changes of what they are given may change
#: them much.
_FACTORS = frozenset(
    ("cholesky", "eigh", "lu", "qr", "geqrf", "householder_product", "svd", "triangular_solve")
)


def narrow_epsilon(program: Any) -> float:
    """The rounding of the narrowest type in which a program computes, 0 where all is as wide as its
    session.

    :param program: a closed jaxpr.
    """
    return max((float(jnp.finfo(v.aval.dtype).eps) for v in _narrow(program)), default=0.0)


def factors_matrices(program: Any) -> bool:
    """Whether a program, or a program that it only runs, factors a matrix or solves a system.

    :param program: a closed jaxpr.
    """
    for eqn in getattr(program, "jaxpr", program).eqns:
        if eqn.primitive.name in _FACTORS:
            return True
        if eqn.primitive.name in _INLINED and any(map(factors_matrices, programs_inside(eqn))):
            return True
    return False


def disturbed_inputs(point: Mapping[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The point, every number but integers changed by its last bit, up or down at random."""
    epsilon = float(jnp.finfo(jnp.zeros(()).dtype).eps)

    def disturbed(x: Any) -> np.ndarray:
        if np.issubdtype(np.result_type(x), np.integer):
            return x
        return x * (1 + epsilon * rng.choice([-1.0, 1.0], np.shape(x)))

    return {name: disturbed(x) for name, x in point.items()}


def disturbed_program(program: Any) -> Callable[..., list[Any]]:
    """The program, with narrow results, and matrices that are factored, changed by their last bits
    at random.

    :param program: a closed jaxpr.
    :returns: a compiled function of a JAX random key and the program's inputs.
    """

    def run(key: jax.Array, *inputs: Any) -> list[Any]:
        return _run(program, inputs, _keys(key))

    return partial(jax.jit, compiler_options=QUICK)(run)


def _keys(key: jax.Array) -> Iterator[jax.Array]:
    count = 0
    while True:
        yield jax.random.fold_in(key, count)
        count += 1


def _narrow(program: Any) -> Iterator[Any]:
    """Outputs that a program rounds to a type narrower than the session's, programs inside it
    included.
    """
    jaxpr = getattr(program, "jaxpr", program)
    widest = jnp.finfo(jnp.zeros(()).dtype).bits
    for eqn in jaxpr.eqns:
        inside = programs_inside(eqn)
        for part in inside:
            yield from _narrow(part)
        # An equation that runs a program rounds nothing itself.
        if not inside and eqn.primitive.name not in _EXACT:
            yield from (v for v in eqn.outvars if _bits(v.aval) < widest)


def programs_inside(eqn: Any) -> list[Any]:
    """Programs inside an equation."""
    leaves = jax.tree.leaves(list(eqn.params.values()), is_leaf=is_program)
    return [x for x in leaves if is_program(x)]


def is_program(x: Any) -> bool:
    return hasattr(x, "eqns") or hasattr(getattr(x, "jaxpr", None), "eqns")


def _bits(aval: Any) -> int:
    dtype = getattr(aval, "dtype", None)
    if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
        return 64
    return jnp.finfo(dtype).bits


def _run(program: Any, inputs: Any, keys: Iterator[jax.Array]) -> list[Any]:
    consts, jaxpr = getattr(program, "consts", ()), getattr(program, "jaxpr", program)
    # Variable -> its value.
    values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *inputs), strict=True))

    def read(atom: Any) -> Any:
        return atom.val if hasattr(atom, "val") else values[atom]

    for eqn in jaxpr.eqns:
        given = [read(a) for a in eqn.invars]
        held = [eqn.params[p] for p in ("jaxpr", "call_jaxpr", "fun_jaxpr") if p in eqn.params]
        if eqn.primitive.name in _INLINED and held:
            outs = _run(held[0], given, keys)
        else:
            if eqn.primitive.name in _FACTORS:
                given = [_changed(x, v.aval, keys) for x, v in zip(given, eqn.invars, strict=True)]
            outs = eqn.primitive.bind(*given, **eqn.primitive.get_bind_params(eqn.params))
            if not eqn.primitive.multiple_results:
                outs = [outs]
            if eqn.primitive.name not in _EXACT:
                outs = [_disturbed(x, v.aval, keys) for x, v in zip(outs, eqn.outvars, strict=True)]
        values.update(zip(eqn.outvars, outs, strict=True))
    return [read(a) for a in jaxpr.outvars]


def _disturbed(x: Any, aval: Any, keys: Iterator[jax.Array]) -> Any:
    return x if _bits(aval) >= 64 else _changed(x, aval, keys)


def _changed(x: Any, aval: Any, keys: Iterator[jax.Array]) -> Any:
    if not jnp.issubdtype(aval.dtype, jnp.floating):
        return x
    epsilon = float(jnp.finfo(aval.dtype).eps)
    return x * (1 + epsilon * jax.random.rademacher(next(keys), aval.shape, aval.dtype))


def evaluator(program: Any) -> Callable[..., list[Any]]:
    """The program as a compiled function of its inputs."""
    return partial(jax.jit, compiler_options=QUICK)(jaxpr_as_fun(program))
