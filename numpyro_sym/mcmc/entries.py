"""The entries of an array that belong to each unit."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..symmetry import Axis


def entries_of_units(x: Any, axis: Axis, n: int) -> jax.Array:
    """All entries of each of ``n`` units on one axis of one array, shape ``(n, entries)``; traceable."""
    entries = jnp.moveaxis(jnp.asarray(x), axis.axis, 0)[axis.positions(n)]  # outer, n, inner, rest
    return jnp.moveaxis(entries, 1, 0).reshape(n, -1)
