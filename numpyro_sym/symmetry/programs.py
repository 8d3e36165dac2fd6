"""Functions of a caller's own, tried on shapes before any work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from .arguments import describe
from .errors import SymmetryError


def outcome_of(who: str, name: str, function: Callable[..., Any], *shapes: Any) -> Any:
    """What a function returns, as shapes and dtypes; nothing is computed.

    :param who: the function that was called, and ``name`` its argument.
    :param shapes: the arguments: arrays, or their shapes and dtypes.
    :raises SymmetryError: where it raises, with its own error as the cause.
    """
    try:
        return jax.eval_shape(function, *shapes)
    except SymmetryError:
        raise
    except Exception as error:
        given = ", ".join(map(describe, shapes))
        raise SymmetryError(
            f"{who}: {name} raised {type(error).__name__} when it was given {given}: {error}. It "
            "is traced by JAX, so "
            "it must be written in jax.numpy."
        ) from error


def refuse_no_number(who: str, name: str, function: Callable[..., Any], *shapes: Any) -> None:
    """Raise unless a function returns one real number."""
    found = outcome_of(who, name, function, *shapes)
    is_array = hasattr(found, "dtype")
    if not is_array or found.shape != () or jnp.issubdtype(found.dtype, jnp.complexfloating):
        what = describe(found)
        if is_array:
            what = f"an array of shape {found.shape} and dtype {found.dtype}"
        raise SymmetryError(f"{who}: {name} must return one real number; it returns {what}.")


def of_one_draw(draws: Any) -> Any:
    """Shapes and dtypes of one draw, of arrays with one leading dimension."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), draws)
