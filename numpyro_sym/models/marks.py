"""A program whose inputs are known only once it has run: it meets them as marks, which become
inputs afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import Primitive

from .rounding import programs_inside

MARK = Primitive("mark")


def mark(origin: Any, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
    """A value that stands for an input.

    :param origin: any input of the program, traced: what has none is computed at once where JAX is
        told so.
    :param name: of the input, once in a run.
    """
    return MARK.bind(origin, name=name, shape=tuple(shape), dtype=np.dtype(dtype))


@MARK.def_abstract_eval
def _abstract(origin: Any, *, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
    return ShapedArray(shape, dtype)


class Noted(dict):
    """Values by name; one that is new is noted, and a mark stands for it.

    :param noted: what was new: name -> the value itself.
    """

    def __init__(self, origin: Any, known: Mapping[str, Any]) -> None:
        super().__init__(known)
        self.origin = origin
        self.noted: dict[str, Any] = {}

    def __setitem__(self, name: str, value: Any) -> None:
        self.noted[name] = value
        super().__setitem__(name, mark(self.origin, name, np.shape(value), jnp.result_type(value)))

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]


def names_of_marks(program: Any) -> frozenset[str] | None:
    """Names of the marks of a program; ``None`` where some stand in a program inside it.

    :param program: a closed jaxpr.
    """
    names = set()
    for eqn in program.jaxpr.eqns:
        if any(map(_has_marks, programs_inside(eqn))):
            return None
        if eqn.primitive is MARK:
            names.add(eqn.params["name"])
    return frozenset(names)


def with_inputs(program: Any, inputs: Sequence[int | str], outputs: int) -> Any:
    """The closed jaxpr with marks as inputs.

    :param program: a closed jaxpr whose marks are all its own, and in none that it runs.
    :param inputs: what the inputs are to be: places among the program's own, or names of marks.
    :param outputs: how many outputs are kept, the first.
    """
    jaxpr = program.jaxpr
    # By place, or by the name of a mark.
    variables: dict[int | str, Any] = dict(enumerate(jaxpr.invars))
    eqns = []
    for eqn in jaxpr.eqns:
        if eqn.primitive is MARK:
            variables[eqn.params["name"]] = eqn.outvars[0]
        else:
            eqns.append(eqn)
    invars = [variables[x] for x in inputs]
    kept = jaxpr.replace(invars=invars, outvars=jaxpr.outvars[:outputs], eqns=eqns)
    return program.replace(jaxpr=kept)


def _has_marks(program: Any) -> bool:
    for eqn in getattr(program, "jaxpr", program).eqns:
        if eqn.primitive is MARK or any(map(_has_marks, programs_inside(eqn))):
            return True
    return False
