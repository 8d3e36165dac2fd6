"""A guess of which unit sits in which slot, one slot after the other, from a matrix of weights.

The target is ``p(pi) ~ prod_s weights[pi(s), s]`` over permutations. Its conditional for one slot,
given the slots before, is a weight times the permanent of a minor. That permanent is approximated
from a doubly stochastic rescaling of what is left: exact if the rest were uniform, with a
correction for its largest entry. Whatever the quality of this, every conditional is normalized, and
relabeling the units relabels the guess: the two properties that make a bound of it.

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

#: How often weights are balanced before slots are filled, whose blocks rescale them anew.
BALANCINGS = 2

#: The share of each conditional that is uniform over the units left, so that no guess costs more
#: than its log.
UNIFORM_SHARE = 1e-4

_FLOOR = -12.0  # of log weights after balancing: float32 holds products of two and their inverses
_TOP = 1 - 1e-6
_SINGLE = 64  # the last so many slots are a block each: matrices are small there


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
    :param steps: how often.
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
    probs = _at_identity(*_rows_left(weights[:, : level.slots] * own, weights, scales * after))
    return jnp.log(_with_uniform_share(probs, n - slots)), scales[-1]


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


class Left(NamedTuple):
    """What is left of each unit's row once the slots before a slot are filled: ``(units, blocks *
    size)`` each.

    :param own: the slot's weight.
    :param others: the sum of the weights of the slots after it.
    :param squares: the sum of their squares.
    """

    own: jax.Array
    others: jax.Array
    squares: jax.Array


def _rows_left(scaled: jax.Array, weights: jax.Array, later: jax.Array) -> Left:
    """Rows left for each slot of a level's blocks.

    :param scaled: the weights of the blocks' slots, columns rescaled: ``(units, blocks * size)``.
    :param later: column scales of the slots after each block, else 0: ``(blocks, slots)``.
    """
    others = _after(scaled, (later @ weights.T).T)
    return Left(scaled, others, _after(scaled**2, (later**2 @ (weights**2).T).T))


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


class Scores(NamedTuple):
    """Weights times permanents of their minors, up to what all units of a slot share, and what
    they are made of: ``(units, slots)`` each.

    :param value: the scores; 0 for units that are not left.
    :param b: the slot's share of a unit's row, as a share of all units'.
    :param peak: about how much of the row the largest other entry is.
    :param total: the sum of the slot's shares of all rows: ``(slots,)``.
    """

    value: jax.Array
    b: jax.Array
    peak: jax.Array
    total: jax.Array


def _scores(rows: Left, left: ArrayLike, number: ArrayLike) -> Scores:
    """Scores of the units in slots.

    :param rows: of shape ``(units, slots)``, or ``(units,)`` for one slot.
    :param left: which units are left for the slot.
    :param number: how many.
    """
    number = jnp.asarray(number)
    row = rows.own + rows.others
    share = jnp.where(left, rows.own / row, 0)
    peak = jnp.minimum(jnp.sqrt(rows.squares / row**2 + 1e-14), _TOP)
    total = share.sum(0)
    b = jnp.clip(share / total, 1e-30, _TOP)
    fewer = jnp.maximum(number - 1, 1)
    uniform = (number - 1) * jnp.log((jnp.maximum(number - 2, 0) + b) / fewer)
    value = jnp.where(left, b * (1 - peak) / (1 - b) * jnp.exp(peak + share - 1 - uniform), 0)
    return Scores(value, b, peak, total)


@jax.custom_jvp
def _at_identity(own: jax.Array, others: jax.Array, squares: jax.Array) -> jax.Array:
    """Probability of unit ``s`` for slot ``s``, for the first slots: ``(slots,)``.

    Parameters as of :class:`Left`.
    """
    return _probs_at_identity(Left(own, others, squares))[0]


@_at_identity.defjvp
def _at_identity_jvp(primals: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    """The gradient written out: one pass in place of the several that a compiler finds."""
    rows = Left(*primals)
    probs, scores = _probs_at_identity(rows)
    units, slots = rows.own.shape
    own = np.arange(units)[:, None] == np.arange(slots)
    number = units - np.arange(slots)
    b, peak = scores.b, scores.peak
    # Of the log probability in the logs of the scores, times the probability.
    to_score = probs * (own - scores.value / scores.value.sum(0))
    fewer = np.maximum(number - 2, 0) + b
    to_b = to_score * (1 / b + 1 / (1 - b) - (number - 1) / fewer)
    left = np.arange(units)[:, None] >= np.arange(slots)
    to_share = jnp.where(left, to_score + (to_b - (to_b * b).sum(0)) / scores.total, 0)
    to_peak = jnp.where(peak < _TOP, -to_score * peak / (1 - peak), 0)
    row = rows.own + rows.others
    of_peak = to_peak * peak / row
    tangent = (
        (to_share * rows.others / row**2 - of_peak) * tangents[0]
        - (to_share * rows.own / row**2 + of_peak) * tangents[1]
        + to_peak / (2 * peak * row**2) * tangents[2]
    )
    return probs, tangent.sum(0)


def _probs_at_identity(rows: Left) -> tuple[jax.Array, Scores]:
    units, slots = rows.own.shape
    left = np.arange(units)[:, None] >= np.arange(slots)
    scores = _scores(rows, left, units - np.arange(slots))
    return jnp.diagonal(scores.value) / scores.value.sum(0), scores


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
            rows = jax.tree.map(jnp.transpose, _rows_left(scaled, weights, later))

            def draw(left: jax.Array, step: tuple) -> tuple[jax.Array, jax.Array]:
                slot, rows = step
                number = n - slot
                scores = _scores(rows, left, number).value
                probs = _with_uniform_share(scores / scores.sum(), number)
                drawn = jax.random.categorical(
                    keys[slot], jnp.where(left, jnp.log(probs), -jnp.inf)
                )
                unit = jnp.where((start <= slot) & (slot < end), drawn, jnp.argmax(left))
                return left.at[unit].set(False), unit

            left, block = jax.lax.scan(draw, left, (first + jnp.arange(size), rows))
            return (left, scales[0]), block

        (left, column), block = jax.lax.scan(fill, (left, column), firsts)
        units.append(block.ravel())
    return jnp.concatenate(units)
