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
    if any(_has_marks(part) for eqn in program.jaxpr.eqns for part in programs_inside(eqn)):
        return None
    return frozenset(eqn.params["name"] for eqn in program.jaxpr.eqns if eqn.primitive is MARK)


def with_inputs(program: Any, inputs: Sequence[int | str], outputs: int) -> Any:
    """The closed jaxpr with marks as inputs.

    :param program: a closed jaxpr whose marks are all its own, and in none that it runs.
    :param inputs: what the inputs are to be: places among the program's own, or names of marks.
    :param outputs: how many outputs are kept, the first.
    """
    jaxpr = program.jaxpr
    marks = {eqn.params["name"]: eqn.outvars[0] for eqn in jaxpr.eqns if eqn.primitive is MARK}
    invars = [marks[x] if isinstance(x, str) else jaxpr.invars[x] for x in inputs]
    eqns = [eqn for eqn in jaxpr.eqns if eqn.primitive is not MARK]
    return program.replace(
        jaxpr=jaxpr.replace(invars=invars, outvars=jaxpr.outvars[:outputs], eqns=eqns)
    )


def _has_marks(program: Any) -> bool:
    jaxpr = getattr(program, "jaxpr", program)
    own = any(eqn.primitive is MARK for eqn in jaxpr.eqns)
    return own or any(_has_marks(part) for eqn in jaxpr.eqns for part in programs_inside(eqn))
