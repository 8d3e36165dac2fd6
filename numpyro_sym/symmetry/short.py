"""A ``repr`` that fits on a screen, for results that hold arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

#: Arrays of at most so many numbers are written out.
FEW = 8


def short_repr(result: Any) -> str:
    """A named tuple with its arrays as dtype and shape.

    >>> from numpyro_sym import Element
    >>> Element(np.array([1, 0]), np.ones(2))
    Element(permutation=[1 0], factor=[1. 1.])
    >>> Element(np.zeros((600, 3), int), np.ones((600, 3)))
    Element(permutation=int64[600, 3], factor=float64[600, 3])
    """
    fields = ", ".join(f"{name}={_short(getattr(result, name))}" for name in result._fields)
    return f"{type(result).__name__}({fields})"


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        items = ", ".join(f"{name!r}: {_short(each)}" for name, each in value.items())
        return f"{{{items}}}"
    if isinstance(value, jax.core.Tracer) or not isinstance(value, (np.ndarray, jax.Array)):
        return repr(value)
    if value.size <= FEW and value.ndim <= 1:
        return np.array2string(np.asarray(value), separator=" ", precision=4)
    return f"{value.dtype}{list(value.shape)}"
