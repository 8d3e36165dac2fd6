"""What does not depend on a latent site is computed, in NumPy where that is quick."""

from __future__ import annotations

from collections.abc import Callable
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
    shape, dims = params["shape"], params["broadcast_dimensions"]
    expanded = [1] * len(shape)
    for i, d in enumerate(dims):
        expanded[d] = x.shape[i]
    return np.broadcast_to(x.reshape(expanded), shape)


def _iota(params: dict) -> np.ndarray:
    shape, d = params["shape"], params["dimension"]
    return _broadcast({"shape": shape, "broadcast_dimensions": (d,)}, np.arange(shape[d]))


def _slice(params: dict, x: np.ndarray) -> np.ndarray:
    strides = params["strides"] or (1,) * x.ndim
    starts, stops = params["start_indices"], params["limit_indices"]
    return x[tuple(slice(a, b, s) for a, b, s in zip(starts, stops, strides, strict=True))]


def _plain(f: Callable) -> Callable:
    return lambda params, *xs: f(*xs)


_QUICK: dict[str, Callable] = {
    "broadcast_in_dim": _broadcast,
    "iota": _iota,
    "slice": _slice,
    "reshape": lambda p, x: x.reshape(p["new_sizes"]),
    "squeeze": lambda p, x: np.squeeze(x, p["dimensions"]),
    "transpose": lambda p, x: x.transpose(p["permutation"]),
    "convert_element_type": lambda p, x: x,
    "integer_pow": lambda p, x: x ** p["y"],
    "select_n": lambda p, which, *cases: np.choose(which.astype(int), cases) if len(cases) <= 32 else None,
    "concatenate": lambda p, *xs: np.concatenate(xs, p["dimension"]),
    "copy": _plain(lambda x: x),
    "stop_gradient": _plain(lambda x: x),
    "add": _plain(np.add),
    "sub": _plain(np.subtract),
    "mul": _plain(np.multiply),
    "div": _plain(lambda x, y: x / y if np.issubdtype(x.dtype, np.inexact) else np.trunc(x / y)),
    "neg": _plain(np.negative),
    "exp": _plain(np.exp),
    "log": _plain(np.log),
    "sqrt": _plain(np.sqrt),
    "square": _plain(np.square),
    "max": _plain(np.maximum),
    "min": _plain(np.minimum),
    "eq": _plain(np.equal),
    "ne": _plain(np.not_equal),
    "lt": _plain(np.less),
    "le": _plain(np.less_equal),
    "gt": _plain(np.greater),
    "ge": _plain(np.greater_equal),
}
