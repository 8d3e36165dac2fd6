"""Supports and transforms of NumPyro's distributions, and of others that it wraps."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from numpyro.distributions import biject_to


def arrays_held(x: Any) -> list[Any] | None:
    """Arrays that a support or a transform holds; ``None`` where JAX cannot take it apart.

    NumPyro's wrappers of TensorFlow Probability's say that they are trees and are none.
    """
    try:
        return jax.tree.leaves(x)
    except (TypeError, ValueError):
        return None


def bounds_of(support: Any) -> list[Any] | None:
    """Arrays that bound a support; ``None`` where JAX cannot take it apart.

    :param support: a constraint; where it is one of TensorFlow Probability's, NumPyro tells what it
        amounts to.
    """
    return arrays_held(getattr(support, "codomain", support))


def is_inside(support: Any, value: jax.Array) -> jax.Array:
    """Whether numbers lie in a support, or whether those from which it is made are finite, where it
    cannot tell.
    """
    try:
        return support(value)
    except TypeError:
        # TensorFlow Probability's interval without bounds of its own: NumPyro compares with None.
        return jnp.isfinite(biject_to(support).inv(value))
