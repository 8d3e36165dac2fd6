"""A guess of which unit sits in which slot, one slot after the other, from a matrix of weights.

The target is ``p(pi) ~ prod_s weights[pi(s), s]`` over permutations. Its conditional for one slot,
given the slots before, is a weight times the permanent of a minor. That permanent is approximated
from a doubly stochastic rescaling of what is left: exact if the rest were uniform, with a
correction for its largest entry. Whatever the quality of this, every conditional is normalised, and
relabelling the units relabels the guess: the two properties that make a bound of it.
"""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp

#: How often what is left is rescaled where nothing else is said; at 64 units 8 tell .2 nats more.
ROUNDS = 3

#: The share of each conditional that is uniform over the units left, so that no guess costs more
#: than its log.
UNIFORM_SHARE = 1e-4

_FLOOR = -12.0  # of log weights after balancing: float32 holds products of two and their inverses
_TOP = 1 - 1e-6
_STAGES = 25  # slots whose conditionals are computed together


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


def log_conditionals(
    log_balanced: jax.Array, left: jax.Array, slot: jax.Array, rounds: int = ROUNDS
) -> jax.Array:
    """Log probabilities of the units left for one slot, when the slots before it are filled.

    :param log_balanced: floats of shape ``(units, slots)`` as :func:`balance` gives them.
    :param left: booleans of shape ``(n,)``: which units are left; as many as slots from ``slot``
        on.
    :param slot: an int.
    :param rounds: how often rows and columns of what is left are rescaled; more tell more.
    :returns: floats of shape ``(n,)``, ``-inf`` for units that are not left.
    """
    log_probs = jax.nn.log_softmax(_scores(log_balanced, left, slot, rounds))
    return jnp.where(left, _with_uniform_share(log_probs, left.shape[0] - slot), -jnp.inf)


def _with_uniform_share(log_probs: jax.Array, number: jax.Array) -> jax.Array:
    """A share of the probability spread evenly over so many units."""
    share = jnp.asarray(UNIFORM_SHARE, log_probs.dtype)
    return jnp.logaddexp(log_probs + jnp.log1p(-share), jnp.log(share / number))


def _scores(log_balanced: jax.Array, left: jax.Array, slot: jax.Array, rounds: int) -> jax.Array:
    """Logs of weights times permanents of their minors, up to what all units share; ``-inf`` for
    those not left.
    """
    n = log_balanced.shape[0]
    weights = jnp.exp(log_balanced)
    rows, columns = left.astype(weights.dtype), (jnp.arange(n) >= slot).astype(weights.dtype)
    u, v = rows, columns
    for _ in range(rounds):
        u = rows / (weights @ v)
        v = columns / (u @ weights)
    others = v * (jnp.arange(n) != slot)
    m = (n - slot).astype(weights.dtype)
    b = jnp.clip(u * weights[:, slot] * v[slot], 1e-30, _TOP)
    rest = u * (weights @ others)
    peak = jnp.minimum(jnp.sqrt(u**2 * (weights**2 @ others**2) + 1e-14), _TOP)
    uniform = (m - 1) * jnp.log((jnp.maximum(m - 2, 0) + b) / jnp.maximum(m - 1, 1))
    score = jnp.log(b * (1 - peak) / (1 - b)) - (rest - peak) - uniform
    return jnp.where(left, score, -jnp.inf)


def log_guess(log_balanced: jax.Array, rounds: int = ROUNDS) -> jax.Array:
    """Log of each conditional at the identity: unit ``s`` in slot ``s``, for every slot at once.

    :param log_balanced: floats of shape ``(units, slots)``, slots in the order of their filling.
    :param rounds: as for :func:`log_conditionals`.
    :returns: floats of shape ``(n,)``; their sum is the log probability of the identity.
    """
    # What is in place drops out of the later conditionals: blocks of slots work on ever smaller
    # matrices.
    n = log_balanced.shape[0]
    parts = -(-n // _STAGES)
    edges = [n * i // parts for i in range(parts + 1)]
    return jnp.concatenate(
        [_first_conditionals(log_balanced[i:, i:], j - i, rounds) for i, j in pairwise(edges)]
    )


def _first_conditionals(log_balanced: jax.Array, number: int, rounds: int) -> jax.Array:
    """Log conditionals of the first so many slots at the identity."""
    slots = jnp.arange(log_balanced.shape[0])

    def at(slot: jax.Array) -> jax.Array:
        scores = _scores(log_balanced, slots >= slot, slot, rounds)
        return _with_uniform_share(scores[slot] - jax.nn.logsumexp(scores), len(slots) - slot)

    return jax.vmap(at)(slots[:number])


def sample_guess(
    rng_key: jax.Array,
    log_balanced: jax.Array,
    start: jax.Array,
    end: jax.Array,
    rounds: int = ROUNDS,
) -> jax.Array:
    """A random permutation from the guess for some slots: for each slot its unit.

    :param rng_key: a JAX random key.
    :param log_balanced: floats of shape ``(units, slots)``, slots in the order of their filling.
    :param start: slots before this one keep their units.
    :param end: slots from this one on get the units that are left, in their order.
    :param rounds: as for :func:`log_conditionals`.
    :returns: ints of shape ``(n,)``.
    """
    n = log_balanced.shape[0]

    def fill(left: jax.Array, step: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        slot, key = step
        drawn = jax.random.categorical(key, log_conditionals(log_balanced, left, slot, rounds))
        unit = jnp.where((start <= slot) & (slot < end), drawn, jnp.argmax(left))
        return left.at[unit].set(False), unit

    steps = (jnp.arange(n), jax.random.split(rng_key, n))
    return jax.lax.scan(fill, jnp.ones(n, bool), steps)[1]
