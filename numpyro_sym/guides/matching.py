"""A guess of which unit sits in which slot, one slot after the other, from a matrix of weights.

The target is ``p(pi) ~ prod_s weights[pi(s), s]`` over permutations. Its conditional for one slot, given
the slots before, is a weight times the permanent of a minor. That permanent is approximated from
a doubly stochastic rescaling of what is left: exact if the rest were uniform, with a correction
for its largest entry. Whatever the quality of this, every conditional is normalised, and
relabelling the units relabels the guess: the two properties that make a bound of it.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

#: The share of each conditional that is uniform over the units left, so that no guess costs more than its log.
UNIFORM_SHARE = 1e-4

_FLOOR = -12.0  # of log weights after balancing: float32 holds products of two and their inverses
_TOP = 1 - 1e-6


def balance(log_weights: jax.Array, steps: int = 5) -> jax.Array:
    """Logs of a nearly doubly stochastic matrix (Sinkhorn): rows and columns rescaled in turn.

    :param log_weights: floats of shape ``(n, n)``.
    :returns: floats of shape ``(n, n)``, at least -12.
    """
    for _ in range(2):  # in logs, where a row may be hundreds of nats below another
        log_weights = log_weights - jax.nn.logsumexp(log_weights, axis=1, keepdims=True)
        log_weights = log_weights - jax.nn.logsumexp(log_weights, axis=0, keepdims=True)
    log_weights = jnp.maximum(log_weights, 2 * _FLOOR)
    weights = jnp.exp(log_weights)
    column = jnp.ones(log_weights.shape[1], log_weights.dtype)
    for _ in range(steps):
        row = 1 / (weights @ column)
        column = 1 / (row @ weights)
    return jnp.maximum(log_weights + jnp.log(row)[:, None] + jnp.log(column), _FLOOR)


def log_conditionals(log_balanced: jax.Array, left: jax.Array, slot: jax.Array) -> jax.Array:
    """Log probabilities of the units left for one slot, when the slots before it are filled.

    :param log_balanced: floats of shape ``(units, slots)`` as :func:`balance` gives them.
    :param left: booleans of shape ``(n,)``: which units are left; as many as slots from ``slot`` on.
    :param slot: an int.
    :returns: floats of shape ``(n,)``, ``-inf`` for units that are not left.
    """
    n = log_balanced.shape[0]
    weights = jnp.exp(log_balanced)
    rows, columns = left.astype(weights.dtype), (jnp.arange(n) >= slot).astype(weights.dtype)
    u, v = rows, columns
    for _ in range(4):
        u = rows / (weights @ v)
        v = columns / (u @ weights)
    others = v * (jnp.arange(n) != slot)
    m = (n - slot).astype(weights.dtype)
    b = jnp.clip(u * weights[:, slot] * v[slot], 1e-30, _TOP)
    rest = u * (weights @ others)
    peak = jnp.minimum(jnp.sqrt(u**2 * (weights**2 @ others**2) + 1e-14), _TOP)
    # log of b times the permanent of the minor, up to what all units share.
    uniform = (m - 1) * jnp.log((jnp.maximum(m - 2, 0) + b) / jnp.maximum(m - 1, 1))
    score = jnp.log(b) + jnp.log1p(-peak) - (rest - peak) - jnp.log1p(-b) - uniform
    sure = jax.nn.log_softmax(jnp.where(left, score, -jnp.inf))
    share = jnp.asarray(UNIFORM_SHARE, weights.dtype)
    return jnp.where(left, jnp.logaddexp(sure + jnp.log1p(-share), jnp.log(share / m)), -jnp.inf)


def log_guess(log_balanced: jax.Array) -> jax.Array:
    """Log of each conditional at the identity: unit ``s`` in slot ``s``, for every slot at once.

    :param log_balanced: floats of shape ``(units, slots)``, slots in the order of their filling.
    :returns: floats of shape ``(n,)``; their sum is the log probability of the identity.
    """
    slots = jnp.arange(log_balanced.shape[0])

    def at(slot: jax.Array) -> jax.Array:
        return log_conditionals(log_balanced, slots >= slot, slot)[slot]

    return jax.vmap(at)(slots)


def sample_guess(rng_key: jax.Array, log_balanced: jax.Array, start: jax.Array, end: jax.Array) -> jax.Array:
    """A random permutation from the guess for some slots: for each slot its unit.

    :param rng_key: a JAX random key.
    :param log_balanced: floats of shape ``(units, slots)``, slots in the order of their filling.
    :param start: slots before this one keep their units.
    :param end: slots from this one on get the units that are left, in their order.
    :returns: ints of shape ``(n,)``.
    """
    n = log_balanced.shape[0]

    def fill(left: jax.Array, step: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        slot, key = step
        drawn = jax.random.categorical(key, log_conditionals(log_balanced, left, slot))
        unit = jnp.where((start <= slot) & (slot < end), drawn, jnp.argmax(left))
        return left.at[unit].set(False), unit

    steps = (jnp.arange(n), jax.random.split(rng_key, n))
    return jax.lax.scan(fill, jnp.ones(n, bool), steps)[1]
