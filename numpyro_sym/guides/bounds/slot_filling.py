"""A guess of which unit sits in which slot, one slot after the other, from a matrix of weights.

The target is ``p(pi) ~ prod_s weights[pi(s), s]`` over permutations. Its conditional for one slot,
given the slots before, is a weight times the permanent of a minor. That permanent is approximated
from a doubly stochastic rescaling of what is left: exact if the rest were uniform, with a
correction for its largest entry. Whatever the quality of this, every conditional is normalised, and
relabelling the units relabels the guess: the two properties that make a bound of it.

Slots are filled in blocks. Columns of what is left are rescaled once a block, rows anew for every
slot, by running sums along the block; so a slot costs no more than its column. Blocks are a share
of what is left, and those that fill half of it are worked on together, in one matrix product: the
cost grows with the square of the number of units, and the program with its logarithm.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

#: How often what is left is rescaled before a block is filled where nothing else is said.
ROUNDS = 3

#: Blocks that what is left would make where nothing else is said; more and smaller ones tell more.
BLOCKS = 16

#: The share of each conditional that is uniform over the units left, so that no guess costs more
#: than its log.
UNIFORM_SHARE = 1e-4

_FLOOR = -12.0  # of log weights after balancing: float32 holds products of two and their inverses
_TOP = 1 - 1e-6
_SINGLE = 16  # the last so many slots are a block each: matrices are small there


class Level(NamedTuple):
    """Blocks of slots that are worked on together.

    :param start: the first slot.
    :param blocks: the number of blocks.
    :param size: slots in each.
    """

    start: int
    blocks: int
    size: int

    @property
    def slots(self) -> int:
        """Slots in all blocks."""
        return self.blocks * self.size


def levels(n: int, blocks: int) -> list[Level]:
    """Levels for so many slots: each fills half of what is left, the last one all of it.

    :param blocks: how many blocks of a level's size what is left would make.
    """
    result, start = [], 0
    while n - start > _SINGLE:
        size = -(-(n - start) // blocks)
        result.append(Level(start, max((n - start) // 2 // size, 1), size))
        start += result[-1].slots
    return [*result, Level(start, n - start, 1)] if start < n else result


def balance(log_weights: jax.Array, steps: int = 5) -> jax.Array:
    """A nearly doubly stochastic matrix (Sinkhorn): rows and columns rescaled in turn.

    :param log_weights: floats of shape ``(n, n)``.
    :returns: floats of shape ``(n, n)``, at least ``exp(-12)``.
    """
    # In logs first, where a row may be hundreds of nats below another. What is taken from whole
    # rows last makes no difference to what follows, so its gradient is none.
    log_weights = log_weights - jax.nn.logsumexp(log_weights, axis=1, keepdims=True)
    log_weights = log_weights - jax.nn.logsumexp(log_weights, axis=0, keepdims=True)
    top = jax.lax.stop_gradient(log_weights.max(1, keepdims=True))
    weights = jnp.exp(jnp.maximum(log_weights - top, 2 * _FLOOR))
    row = column = jnp.ones((), weights.dtype)
    for _ in range(steps):  # products and sums are faster here than a matrix times a vector
        row = 1 / (weights * column).sum(1, keepdims=True)
        column = 1 / (weights * row).sum(0)
    return jnp.maximum(weights * row * column, np.exp(_FLOOR))


def log_guess(weights: jax.Array, rounds: int = ROUNDS, blocks: int = BLOCKS) -> jax.Array:
    """Log of each conditional at the identity: unit ``s`` in slot ``s``, for every slot at once.

    :param weights: floats of shape ``(units, slots)`` as :func:`balance` gives them, slots in the
        order of their filling.
    :param rounds: how often what is left is rescaled before a block is filled; more tell more.
    :param blocks: as for :func:`levels`.
    :returns: floats of shape ``(n,)``; their sum is the log probability of the identity.
    """
    each, column = [], jnp.ones(len(weights), weights.dtype)
    for level in levels(len(weights), blocks):
        log_probs, column = _level(weights, level, column, rounds)
        each.append(log_probs)
        # What is in place drops out: the next level works on a smaller matrix.
        weights = weights[level.slots :, level.slots :]
        column = column[level.slots :]
    return jnp.concatenate(each)


def _level(
    weights: jax.Array, level: Level, column: jax.Array, rounds: int
) -> tuple[jax.Array, jax.Array]:
    """Log conditionals of the first slots at the identity, and the last block's column scales.

    :param weights: of the units and slots left at the level's start.
    :param column: where the column scales start from.
    """
    n, (_, blocks, size), slots = len(weights), level, np.arange(level.slots)
    first = size * np.arange(blocks)[:, None]
    left = jnp.asarray(np.arange(n) >= first, weights.dtype)
    after = jnp.asarray(np.arange(n) >= first + size, weights.dtype)
    scales = _column_scales(weights, left, left, column, rounds)
    # Every column of the level by the scale of its own block.
    own = scales[slots // size, slots]
    share, peak = _shares(weights[:, : level.slots] * own, weights, scales * after)
    scores = _scores(share, peak, np.arange(n)[:, None] >= slots, n - slots)
    at_identity = jnp.where(np.arange(n)[:, None] == slots, scores, 0).sum(0)
    return jnp.log(_with_uniform_share(at_identity / scores.sum(0), n - slots)), scales[-1]


def _column_scales(
    weights: jax.Array, units: jax.Array, slots: jax.Array, start: jax.Array, rounds: int
) -> jax.Array:
    """Scales of the slots left before each block, as rows and columns are rescaled in turn.

    :param units: 1 for those left before each block, else 0: floats of shape ``(blocks, units)``.
    :param slots: likewise, ``(blocks, slots)``.
    :param start: floats of shape ``(slots,)``.
    :returns: floats of shape ``(blocks, slots)``.
    """
    column = slots * start
    for _ in range(rounds):
        row = units / (column @ weights.T)
        column = slots / (row @ weights)
    return column


def _shares(scaled: jax.Array, weights: jax.Array, later: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Each slot's share of its unit's row, and about how much of the row the largest other entry
    is, once the slots before it are filled.

    :param scaled: the weights of the blocks' slots, columns rescaled: ``(units, blocks * size)``.
    :param later: column scales of the slots after each block, else 0: ``(blocks, slots)``.
    :returns: two arrays of the shape of ``scaled``.
    """
    others = _after(scaled, (later @ weights.T).T)
    squares = _after(scaled**2, (later**2 @ (weights**2).T).T)
    row = scaled + others
    return scaled / row, jnp.minimum(jnp.sqrt(squares / row**2 + 1e-14), _TOP)


def _after(x: jax.Array, beyond: jax.Array) -> jax.Array:
    """Sums over what comes after each slot: in its block and, as given, beyond.

    :param x: floats of shape ``(units, blocks * size)``.
    :param beyond: floats of shape ``(units, blocks)``.
    """
    units, blocks = beyond.shape
    size = x.shape[1] // blocks
    below = jnp.asarray(np.tri(size, k=-1), x.dtype)  # [j, s]: whether j comes after s
    sums = (x.reshape(-1, size) @ below).reshape(units, blocks, size) + beyond[:, :, None]
    return sums.reshape(x.shape)


def _scores(share: jax.Array, peak: jax.Array, left: ArrayLike, number: ArrayLike) -> jax.Array:
    """Weights times permanents of their minors, up to what all units of a slot share.

    :param share: as from :func:`_shares`, with the units along the first dimension.
    :param left: which units are left for the slot.
    :param number: how many.
    :returns: floats of the shape of ``share``, 0 for units that are not left.
    """
    number = jnp.asarray(number)
    rest, share = 1 - share, jnp.where(left, share, 0)
    b = jnp.clip(share / share.sum(0), 1e-30, _TOP)
    fewer = jnp.maximum(number - 1, 1)
    uniform = (number - 1) * jnp.log((jnp.maximum(number - 2, 0) + b) / fewer)
    return jnp.where(left, b * (1 - peak) / (1 - b) * jnp.exp(peak - rest - uniform), 0)


def _with_uniform_share(probs: jax.Array, number: ArrayLike) -> jax.Array:
    """A share of the probability spread evenly over so many units."""
    return (1 - UNIFORM_SHARE) * probs + UNIFORM_SHARE / number


def sample_guess(
    rng_key: jax.Array,
    weights: jax.Array,
    start: jax.Array,
    end: jax.Array,
    rounds: int = ROUNDS,
    blocks: int = BLOCKS,
) -> jax.Array:
    """A random permutation from the guess for some slots: for each slot its unit.

    :param rng_key: a JAX random key.
    :param weights: floats of shape ``(units, slots)`` as for :func:`log_guess`.
    :param start: slots before this one keep their units.
    :param end: slots from this one on get the units that are left, in their order.
    :param rounds: as for :func:`log_guess`.
    :param blocks: as for :func:`levels`.
    :returns: ints of shape ``(n,)``.
    """
    n = len(weights)
    keys = jax.random.split(rng_key, n)
    left, column, units = jnp.ones(n, bool), jnp.ones(n, weights.dtype), []
    for level in levels(n, blocks):
        firsts = level.start + level.size * jnp.arange(level.blocks)
        at_start = column

        def fill(
            so_far: tuple[jax.Array, jax.Array],
            first: jax.Array,
            size: int = level.size,
            at_start: jax.Array = at_start,
        ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
            left, _ = so_far
            open_slots = jnp.arange(n) >= first
            scales = _column_scales(
                weights,
                left[None].astype(weights.dtype),
                open_slots[None].astype(weights.dtype),
                at_start,
                rounds,
            )
            scaled = jax.lax.dynamic_slice_in_dim(weights * scales, first, size, 1)
            later = scales * (jnp.arange(n) >= first + size)
            columns = jax.tree.map(jnp.transpose, _shares(scaled, weights, later))

            def draw(left: jax.Array, step: tuple) -> tuple[jax.Array, jax.Array]:
                slot, share, peak = step
                number = n - slot
                scores = _scores(share, peak, left, number)
                probs = _with_uniform_share(scores / scores.sum(), number)
                drawn = jax.random.categorical(
                    keys[slot], jnp.where(left, jnp.log(probs), -jnp.inf)
                )
                unit = jnp.where((start <= slot) & (slot < end), drawn, jnp.argmax(left))
                return left.at[unit].set(False), unit

            left, block = jax.lax.scan(draw, left, (first + jnp.arange(size), *columns))
            return (left, scales[0]), block

        (left, column), block = jax.lax.scan(fill, (left, column), firsts)
        units.append(block.ravel())
    return jnp.concatenate(units)
