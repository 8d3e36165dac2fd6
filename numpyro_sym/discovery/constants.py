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
            out = np.asarray(quick(eqn.params, *inputs))
        out = out.astype(eqn.outvars[0].aval.dtype, copy=False)
        return [_repeated_like(inputs, out) if eqn.primitive.name in _PLACE_BY_PLACE else out]
    outs = eqn.primitive.bind(*inputs, **eqn.primitive.get_bind_params(eqn.params))
    return [as_constant(x) for x in (outs if eqn.primitive.multiple_results else [outs])]


def _repeated_like(inputs: list[np.ndarray], out: np.ndarray) -> np.ndarray:
    """The outcome of an operation entry by entry, or of one that joins arrays, repeated by a stride
    of 0 along axes along which all inputs are: what was written once is no coincidence.
    """
    whole = [x for x in inputs if x.ndim]
    if not whole or any(x.ndim != out.ndim for x in whole):
        return out
    for axis, n in enumerate(out.shape):
        if n > 1 and all(x.shape[axis] == n and x.strides[axis] == 0 for x in whole):
            out = np.broadcast_to(out.take([0], axis), out.shape)
    return out


def _broadcast(params: dict, x: np.ndarray) -> np.ndarray:
    expanded = [1] * len(params["shape"])
    for n, d in zip(x.shape, params["broadcast_dimensions"], strict=True):
        expanded[d] = n
    return np.broadcast_to(x.reshape(expanded), params["shape"])


def _reduced(over: Callable, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """What is added or multiplied up in order of size: rounding does not tell apart what has the
    same parts.
    """
    rest = x.ndim - len(axes)
    parts = np.moveaxis(x, axes, range(rest, x.ndim))
    return over(np.sort(parts.reshape(*parts.shape[:rest], -1), -1), -1)


def _plain(ufunc: Callable) -> Callable:
    return lambda params, *xs: ufunc(*xs)


_UFUNCS = (
    "add exp log sqrt square sub:subtract mul:multiply neg:negative max:maximum min:minimum "
    "eq:equal ne:not_equal lt:less le:less_equal gt:greater ge:greater_equal "
    "copy:asarray stop_gradient:asarray convert_element_type:asarray"
)
_ENTRYWISE = {name.split(":")[0]: getattr(np, name.split(":")[-1]) for name in _UFUNCS.split()}
#: What keeps every axis where it is.
_PLACE_BY_PLACE = {*_ENTRYWISE, "div", "integer_pow", "select_n", "concatenate"}
_QUICK: dict[str, Callable] = {
    **{name: _plain(ufunc) for name, ufunc in _ENTRYWISE.items()},
    "div": lambda p, x, y: x / y if np.issubdtype(x.dtype, np.inexact) else np.trunc(x / y),
    "broadcast_in_dim": _broadcast,
    "reshape": lambda p, x: (
        x if p["dimensions"] is None else x.transpose(p["dimensions"])
    ).reshape(p["new_sizes"]),
    "squeeze": lambda p, x: np.squeeze(x, p["dimensions"]),
    "transpose": lambda p, x: x.transpose(p["permutation"]),
    "integer_pow": lambda p, x: x ** p["y"],
    "reduce_sum": lambda p, x: _reduced(np.sum, x, p["axes"]),
    "reduce_prod": lambda p, x: _reduced(np.prod, x, p["axes"]),
    "select_n": lambda p, which, *cases: np.choose(which.astype(int), cases),
    "concatenate": lambda p, *xs: np.concatenate(xs, p["dimension"]),
}
