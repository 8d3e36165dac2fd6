"""A program with constants of its own: copies, in the precision in which the program uses them.

As long as a traced program holds an array of NumPy's, JAX takes that very array for one of the
precision in which it was traced. A program in double precision would so spoil the data that its
author closes over and holds, too, for the author's own programs in single precision: they fail. And
where the author's program was there first, the constants of one in double precision are single.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.extend.core import Var, jaxpr_as_fun

from .rounding import is_program, programs_inside


def with_own_arrays(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of a tree of arrays that is traced once, and then holds none of the arrays that it
    closes over.

    :param function: for JAX to trace; always called with trees of the same structure, shapes and
        dtypes.
    """
    made: list[tuple[Any, Any]] = []

    def called(x: Any) -> Any:
        if not made:
            # JAX keeps the traced program as long as the function is there: this one goes at once.
            program, outcome = jax.make_jaxpr(lambda x: function(x), return_shape=True)(x)
            made.append((with_own_constants(program), jax.tree.structure(outcome)))
        program, structure = made[0]
        return jax.tree.unflatten(structure, jaxpr_as_fun(program)(*jax.tree.leaves(x)))

    return called


def with_own_constants(program: Any) -> Any:
    """The same program with constants that nobody else holds.

    :param program: a closed jaxpr.
    """
    jaxpr = program.jaxpr
    double = {v: _in_double(v) for v in jaxpr.constvars if _is_used_in_double(jaxpr, v)}
    # Arrays of NumPy are copied; those of JAX never change.
    constants = []
    for variable, x in zip(jaxpr.constvars, program.consts, strict=True):
        if isinstance(x, np.ndarray):
            x = np.array(x, double.get(variable, variable).aval.dtype)
        constants.append(x)
    return program.replace(jaxpr=_with_own_parts(_retyped(jaxpr, double)), consts=constants)


def _with_own_parts(jaxpr: Any) -> Any:
    """A jaxpr in which the programs inside its equations have own constants; itself where none has
    any.
    """
    if not _has_constants_inside(jaxpr):
        return jaxpr
    eqns = []
    for eqn in jaxpr.eqns:
        params = jax.tree.map(_own, eqn.params, is_leaf=is_program)
        eqns.append(eqn.replace(params=params))
    return jaxpr.replace(eqns=eqns)


def _own(x: Any) -> Any:
    """A part of an equation's parameters."""
    if not is_program(x):
        return x
    return with_own_constants(x) if hasattr(x, "jaxpr") else _with_own_parts(x)


def _has_constants(program: Any) -> bool:
    own = any(isinstance(x, np.ndarray) for x in getattr(program, "consts", ()))
    return own or _has_constants_inside(_inside(program))


def _has_constants_inside(jaxpr: Any) -> bool:
    return any(_has_constants(x) for eqn in jaxpr.eqns for x in programs_inside(eqn))


def _inside(program: Any) -> Any:
    """The jaxpr of a program, closed or not."""
    return getattr(program, "jaxpr", program)


# Precision -------------------------------------------------------------------------------------

_DOUBLE = {"float32": "float64", "int32": "int64", "uint32": "uint64", "complex64": "complex128"}


def _double(variable: Any) -> np.dtype | None:
    """The type of twice the precision, ``None`` where there is none."""
    name = _DOUBLE.get(str(getattr(variable.aval, "dtype", "")))
    return None if name is None else np.dtype(name)


def _in_double(variable: Any) -> Any:
    return Var(variable.aval.update(dtype=_double(variable)))


def _is_used_in_double(jaxpr: Any, variable: Any) -> bool:
    """Whether an equation was traced for a variable of twice the precision that it has.

    Of all equations but conversions, numbers of one kind are of one type. A program inside says
    itself what it takes, or was traced in the same error.
    """
    double = _double(variable)
    if double is None:
        return False
    for eqn in jaxpr.eqns:
        if not any(x is variable for x in eqn.invars):
            continue
        is_passed_on = False
        for program, pairs in _inputs(eqn):
            for x, inner in pairs:
                if x is not variable:
                    continue
                is_passed_on = True
                if inner.aval.dtype == double or _is_used_in_double(_inside(program), inner):
                    return True
        if is_passed_on or eqn.primitive.name == "convert_element_type":
            continue
        if double in [getattr(x.aval, "dtype", None) for x in (*eqn.invars, *eqn.outvars)]:
            return True
    return False


def _inputs(eqn: Any) -> list[tuple[Any, list[tuple[Any, Any]]]]:
    """The programs inside an equation, each with pairs of an input of the equation and its own."""
    params, given = eqn.params, list(eqn.invars)
    if eqn.primitive.name == "cond":
        # The first input chooses the branch.
        taken = [(program, given[1:]) for program in params["branches"]]
    elif eqn.primitive.name == "while":
        first, second = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
        of_test = [*given[:first], *given[second:]]
        taken = [(params["cond_jaxpr"], of_test), (params["body_jaxpr"], given[first:])]
    else:
        every = programs_inside(eqn)
        taken = [(p, given) for p in every if len(_inside(p).invars) == len(given)]
    found = []
    for program, inputs in taken:
        found.append((program, list(zip(inputs, _inside(program).invars, strict=True))))
    return found


def _retyped(jaxpr: Any, double: dict[Any, Any]) -> Any:
    """A jaxpr with other variables for some, here and in the programs that take them."""
    if not double:
        return jaxpr

    def new(variables: Any) -> list[Any]:
        return [double.get(v, v) if isinstance(v, Var) else v for v in variables]

    eqns = []
    for eqn in jaxpr.eqns:
        if not any(isinstance(v, Var) and v in double for v in eqn.invars):
            eqns.append(eqn)
            continue
        # Programs by identity: an equation may hold one twice.
        changed: dict[int, Any] = {}
        for program, pairs in _inputs(eqn):
            told = {}
            for x, v in pairs:
                if isinstance(x, Var) and x in double and _double(v) is not None:
                    told[v] = _in_double(v)
            inside = _retyped(_inside(program), told)
            if hasattr(program, "jaxpr"):
                inside = program.replace(jaxpr=inside)
            changed[id(program)] = inside
        leaves, structure = jax.tree.flatten(eqn.params, is_leaf=is_program)
        params = jax.tree.unflatten(structure, [changed.get(id(x), x) for x in leaves])
        eqns.append(eqn.replace(invars=new(eqn.invars), params=params))
    return jaxpr.replace(
        constvars=new(jaxpr.constvars),
        invars=new(jaxpr.invars),
        outvars=new(jaxpr.outvars),
        eqns=eqns,
    )
