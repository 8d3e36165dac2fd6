"""Random choices that are made on the host, by JAX's keys."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np


def seed_of(rng_key: Any) -> int:
    """What seeds :func:`numpy.random.default_rng`: an int itself, or the bits of a JAX key."""
    if isinstance(rng_key, (int, np.integer)):
        return int(rng_key)
    if jax.dtypes.issubdtype(rng_key.dtype, jax.dtypes.prng_key):
        rng_key = jax.random.key_data(rng_key)
    return int.from_bytes(np.asarray(rng_key).tobytes(), "little")
