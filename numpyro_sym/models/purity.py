"""Whether two programs are one: what a model that keeps no state of its own gives twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def same_program(first: Any, second: Any) -> bool:
    """Whether two jaxprs have the same equations, literals and constants.

    :param first: a jaxpr, closed or not, and ``second`` another.
    """
    if first is second:
        return True
    a, b = getattr(first, "jaxpr", first), getattr(second, "jaxpr", second)
    constants = zip(getattr(first, "consts", ()), getattr(second, "consts", ()), strict=False)
    if len(a.eqns) != len(b.eqns) or not all(_same(x, y) for x, y in constants):
        return False
    return all(_same_equation(x, y) for x, y in zip(a.eqns, b.eqns, strict=True))


def _same_equation(a: Any, b: Any) -> bool:
    if a.primitive is not b.primitive or len(a.invars) != len(b.invars):
        return False
    for x, y in zip(a.invars, b.invars, strict=True):
        if not _same(getattr(x, "val", None), getattr(y, "val", None)):
            return False
    return _same(a.params, b.params)


def _same(a: Any, b: Any) -> bool:
    """Numbers, arrays and programs by what they hold; what else a parameter may be is
    not compared.
    """
    if a is b:
        return True
    if hasattr(a, "eqns") or hasattr(getattr(a, "jaxpr", None), "eqns"):
        return same_program(a, b)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, (tuple, list)) and isinstance(b, Sequence):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, (int, float, complex, str, bool)):
        return bool(a == b) or (a != a and b != b)
    if isinstance(a, (np.ndarray, np.generic, jax.Array)):
        if jax.dtypes.issubdtype(a.dtype, jax.dtypes.extended):
            a, b = jax.random.key_data(jnp.asarray(a)), jax.random.key_data(jnp.asarray(b))
            return bool(np.array_equal(a, b))
        has_nan = np.asarray(a).dtype.kind in "fc"
        return np.shape(a) == np.shape(b) and bool(np.array_equal(a, b, equal_nan=has_nan))
    return True
