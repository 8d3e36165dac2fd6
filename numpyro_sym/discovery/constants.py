"""What does not depend on a latent site is computed, in NumPy where that is quick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np


def as_constant(x: Any) -> Any:
    """A NumPy array of a constant; random keys stay what they are."""
    extended = hasattr(x, "dtype") and jax.dtypes.issubdtype(x.dtype, jax.dtypes.extended)
    return x if extended else np.asarray(x)


def fold(eqn: Any, inputs: list[Any]) -> list[Any]:
    """Outputs of an equation whose inputs are all constant."""
    quick = _QUICK.get(eqn.primitive.name)
    if quick is not None and all(isinstance(x, np.ndarray) for x in inputs):
        with np.errstate(all="ignore"):
            return [
                np.asarray(quick(eqn.params, *inputs)).astype(eqn.outvars[0].aval.dtype, copy=False)
            ]
    outs = eqn.primitive.bind(*inputs, **eqn.primitive.get_bind_params(eqn.params))
    return [as_constant(x) for x in (outs if eqn.primitive.multiple_results else [outs])]


def _broadcast(params: dict, x: np.ndarray) -> np.ndarray:
    expanded = [1] * len(params["shape"])
    for n, d in zip(x.shape, params["broadcast_dimensions"], strict=True):
        expanded[d] = n
    return np.broadcast_to(x.reshape(expanded), params["shape"])


def _plain(ufunc: Callable) -> Callable:
    return lambda params, *xs: ufunc(*xs)


_UFUNCS = (
    "add exp log sqrt square sub:subtract mul:multiply neg:negative max:maximum min:minimum "
    "eq:equal ne:not_equal lt:less le:less_equal gt:greater ge:greater_equal "
    "copy:asarray stop_gradient:asarray convert_element_type:asarray"
)
_QUICK: dict[str, Callable] = {
    **{name.split(":")[0]: _plain(getattr(np, name.split(":")[-1])) for name in _UFUNCS.split()},
    "div": lambda p, x, y: x / y if np.issubdtype(x.dtype, np.inexact) else np.trunc(x / y),
    "broadcast_in_dim": _broadcast,
    "reshape": lambda p, x: (
        x if p["dimensions"] is None else x.transpose(p["dimensions"])
    ).reshape(p["new_sizes"]),
    "squeeze": lambda p, x: np.squeeze(x, p["dimensions"]),
    "transpose": lambda p, x: x.transpose(p["permutation"]),
    "integer_pow": lambda p, x: x ** p["y"],
    "select_n": lambda p, which, *cases: np.choose(which.astype(int), cases),
    "concatenate": lambda p, *xs: np.concatenate(xs, p["dimension"]),
}
