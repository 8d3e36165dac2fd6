"""Arrays of numbers as public functions take them, on the host."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .arguments import refusal
from .errors import SymmetryError


def real_array(
    who: str,
    name: str,
    value: Any,
    expected: str,
    *,
    ndim: int | tuple[int, ...] = 0,
    infinite: bool = False,
) -> np.ndarray:
    """A NumPy array of real numbers, finite and not empty; half precision becomes single.

    :param who: the function that was called, and ``name`` its argument.
    :param value: whatever came: an array, nested lists, a number.
    :param expected: what it should be, in words.
    :param ndim: the least number of dimensions; in a tuple, the numbers of dimensions that fit.
    :param infinite: whether infinities may be there.
    :raises SymmetryError: where it is none.
    """
    if isinstance(value, jax.core.Tracer):
        raise SymmetryError(
            refusal(who, name, value, expected, "This runs on the host: call it outside jit.")
        )
    try:
        x = np.asarray(value)
    except (ValueError, TypeError):
        raise SymmetryError(
            refusal(who, name, value, expected, "Its rows differ in length.")
        ) from None
    if np.issubdtype(x.dtype, np.integer) or np.issubdtype(x.dtype, np.floating):
        pass
    elif jnp.issubdtype(x.dtype, jnp.floating):  # bfloat16 and the like are no floats to NumPy
        x = x.astype(np.float32)
    else:
        raise SymmetryError(refusal(who, name, value, expected))
    if x.dtype == np.float16:
        x = x.astype(np.float32)
    fits = x.ndim in ndim if isinstance(ndim, tuple) else x.ndim >= ndim
    if not fits or not x.size:
        raise SymmetryError(refusal(who, name, x, expected))
    if np.isnan(x).any() or not (infinite or np.isfinite(x).all()):
        raise SymmetryError(
            refusal(
                who, name, value, expected, f"It holds NaN{'' if infinite else ' or infinity'}."
            )
        )
    return x


def probabilities(
    who: str, name: str, value: Any, expected: str, *, ndim: int | tuple[int, ...] = 0
) -> np.ndarray:
    """The same, of numbers that are not negative and sum to 1 over the last axis.

    :raises SymmetryError: where they are none.
    """
    p = real_array(who, name, value, expected, ndim=ndim).astype(float)
    if (p < 0).any() or not np.allclose(p.sum(-1), 1, rtol=0, atol=1e-3):
        raise SymmetryError(
            refusal(
                who,
                name,
                value,
                expected,
                "Its rows must be probabilities that sum to 1; pass softmax of logits.",
            )
        )
    return p
