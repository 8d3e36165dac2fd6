"""The permanent of a matrix of weights, in logs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

#: The largest matrix whose permanent ``bound="auto"`` computes: 2**12 subsets, as cheap as a guess.
LARGEST_PERMANENT = 12


@jax.jit
def log_permanent(log_weights: jax.Array) -> jax.Array:
    """Log of the permanent of ``exp(log_weights)``, by dynamic programming over subsets of columns.

    Row by row, the weight of every set of columns that the rows so far can occupy; only sums of
    positive terms, so nothing cancels. Time and memory grow as ``n 2**n``.

    :param log_weights: floats of shape ``(n, n)``; ``-inf`` is allowed where a row keeps one other
        entry.
    :returns: a scalar.

    >>> import jax.numpy as jnp
    >>> float(jnp.exp(log_permanent(jnp.log(jnp.array([[1.0, 2.0], [3.0, 4.0]]))))).__round__(4)
    10.0
    """
    n = log_weights.shape[-1]
    log_total = jnp.zeros(1, log_weights.dtype)
    for row, (before, column) in enumerate(_steps(n)):
        log_total = jax.nn.logsumexp(log_total[before] + log_weights[row][column], axis=-1)
    return log_total[0]


def _steps(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each row: for each set of columns of its size, the sets before it and the
    columns added.
    """
    members = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    size = members.sum(1)
    place = np.zeros(2**n, int)
    steps = []
    for row in range(n):
        sets = np.flatnonzero(size == row + 1)
        column = np.nonzero(members[sets])[1].reshape(len(sets), row + 1)
        steps.append((place[sets[:, None] ^ (1 << column)], column))
        place[sets] = np.arange(len(sets))
    return steps
