"""What does not depend on a latent site is computed, in NumPy where that is quick."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np


def as_constant(x: Any) -> Any:
    """A NumPy array of a constant; random keys stay what they are."""
    if hasattr(x, "dtype") and jax.dtypes.issubdtype(x.dtype, jax.dtypes.extended):
        return x
    return np.asarray(x)


def fold(eqn: Any, inputs: list[Any]) -> list[Any]:
    """Outputs of an equation whose inputs are all constant."""
    quick = _QUICK.get(eqn.primitive.name)
    if quick is not None and all(isinstance(x, np.ndarray) for x in inputs):
        aval = eqn.outvars[0].aval
        with np.errstate(all="ignore"):
            out = np.asarray(quick(eqn.params, *inputs))
        return [out if out.dtype == aval.dtype else out.astype(aval.dtype)]
    outs = eqn.primitive.bind(*inputs, **eqn.primitive.get_bind_params(eqn.params))
    return [as_constant(x) for x in (outs if eqn.primitive.multiple_results else [outs])]


def _broadcast(params: dict, x: np.ndarray) -> np.ndarray:
    expanded = [1] * len(params["shape"])
    for n, d in zip(x.shape, params["broadcast_dimensions"], strict=True):
        expanded[d] = n
    return np.broadcast_to(x.reshape(expanded), params["shape"])


_UFUNCS = {
    **{n: getattr(np, n) for n in ("add", "exp", "log", "sqrt", "square")},
    **{"sub": np.subtract, "mul": np.multiply, "neg": np.negative, "max": np.maximum, "min": np.minimum},
    **{"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater},
    **{"ge": np.greater_equal, "copy": np.asarray, "stop_gradient": np.asarray, "convert_element_type": np.asarray},
    "div": lambda x, y: x / y if np.issubdtype(x.dtype, np.inexact) else np.trunc(x / y),
}
_QUICK: dict[str, Callable] = {
    **{name: partial(lambda f, params, *xs: f(*xs), f) for name, f in _UFUNCS.items()},
    "broadcast_in_dim": _broadcast,
    "reshape": lambda p, x: x.reshape(p["new_sizes"]),
    "squeeze": lambda p, x: np.squeeze(x, p["dimensions"]),
    "transpose": lambda p, x: x.transpose(p["permutation"]),
    "integer_pow": lambda p, x: x ** p["y"],
    "select_n": lambda p, which, *cases: np.choose(which.astype(int), cases),
    "concatenate": lambda p, *xs: np.concatenate(xs, p["dimension"]),
}
